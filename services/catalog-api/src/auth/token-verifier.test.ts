import { createHmac, createPublicKey, randomBytes, type JsonWebKey } from 'node:crypto';
import { quietLogger } from '@outbound/service-kit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors.ts';
import {
  createKey,
  forgedToken,
  inSeconds,
  jwksOf,
  signToken,
  testAudience,
  testIssuer,
  type TestClaims,
} from '../test-support/test-issuer.ts';
import { SigningKeys } from './signing-keys.ts';
import { TokenVerifier } from './token-verifier.ts';

const key = await createKey('key-1');
const other = await createKey('key-1');
const rsa = await createKey('rsa', 'RS256');

function verifierOf(jwks = jwksOf(key.jwk, rsa.jwk), rules: object = {}): TokenVerifier {
  const keys = new SigningKeys({
    read: () => Promise.resolve(jwks),
    keptMs: 3_600_000,
    nowMs: () => performance.now(),
    logger: quietLogger(),
  });
  return new TokenVerifier({
    rules: {
      issuer: testIssuer,
      audience: testAudience,
      algorithms: ['RS256', 'ES256'],
      clockToleranceMs: 30_000,
      principalClaim: 'sub',
      scopeClaim: 'scope',
      ...rules,
    },
    keys,
    now: () => new Date(),
  });
}

/** What the caller is told; fails if the token is accepted. */
async function refusal(token: string, verifier = verifierOf()): Promise<ApiError> {
  const outcome = await verifier.verify(token).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ApiError);
  expect(verifier.recall(token)).toBeUndefined();
  return outcome as ApiError;
}

const generic = {
  code: 'UNAUTHENTICATED',
  message: 'The access token is not accepted. Get a new one.',
  headers: { 'www-authenticate': 'Bearer realm="catalog", error="invalid_token"' },
};

describe('a good token', () => {
  it.each([
    ['a text', 'catalog.product.read catalog.product.write'],
    ['an array', ['catalog.product.read', 'catalog.product.write']],
  ])('names the principal, and its scopes as %s', async (_, scope) => {
    const principal = await verifierOf().verify(await signToken(key, { sub: 'shop', scope }));
    expect(principal).toEqual({
      id: 'shop',
      scopes: new Set(['catalog.product.read', 'catalog.product.write']),
    });
  });

  it.each([undefined, 5, { read: true }, [1, null], ''])(
    'grants nothing by the scope claim %o',
    async (scope) => {
      const { scopes } = await verifierOf().verify(await signToken(key, { scope }));
      expect(scopes.size).toBe(0);
    },
  );

  it('may be for several audiences, and have no kid where one key fits', async () => {
    const verifier = verifierOf();
    await verifier.verify(await signToken(key, { aud: ['other', testAudience] }));
    await verifier.verify(await signToken(key, {}, { kid: undefined }));
    await verifier.verify(await signToken(rsa));
  });

  it('names the principal and scopes by the claims of the settings', async () => {
    const verifier = verifierOf(undefined, { principalClaim: 'client_id', scopeClaim: 'scp' });
    const claims = { sub: undefined, client_id: 'importer', scp: ['a'], scope: 'b' };
    expect(await verifier.verify(await signToken(key, claims))).toEqual({
      id: 'importer',
      scopes: new Set(['a']),
    });
  });

  it('within the tolerance of clocks may have ended, or not have begun', async () => {
    await verifierOf().verify(await signToken(key, { exp: inSeconds(-20) }));
    await verifierOf().verify(await signToken(key, { nbf: inSeconds(20) }));
  });
});

describe('a token that is refused', () => {
  const claims = { iss: testIssuer, aud: testAudience, sub: 'tester', exp: inSeconds(300) };

  it.each(['none', 'None', 'NONE', ''])('has the algorithm "%s"', async (alg) => {
    expect(await refusal(forgedToken({ alg, kid: 'key-1' }, claims))).toMatchObject(generic);
  });

  it('is signed with HS256 and the public key as the secret', async () => {
    const pem = createPublicKey({ key: rsa.jwk as JsonWebKey, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const unsigned = forgedToken({ alg: 'HS256', kid: 'rsa' }, claims);
    for (const secret of [pem, JSON.stringify(rsa.jwk), rsa.jwk.n ?? '']) {
      const signature = createHmac('sha256', secret)
        .update(unsigned.slice(0, -1))
        .digest('base64url');
      expect(await refusal(`${unsigned}${signature}`)).toMatchObject(generic);
    }
  });

  it('is signed by a shared secret that is in the key set', async () => {
    const secret = randomBytes(32);
    const oct = { kty: 'oct', k: secret.toString('base64url'), kid: 'oct', alg: 'HS256' };
    const unsigned = forgedToken({ alg: 'HS256', kid: 'oct' }, claims);
    const signature = createHmac('sha256', secret)
      .update(unsigned.slice(0, -1))
      .digest('base64url');
    const verifier = verifierOf(jwksOf(key.jwk, oct));
    expect(await refusal(`${unsigned}${signature}`, verifier)).toMatchObject(generic);
  });

  it('is signed by a key whose private half is in the key set', async () => {
    const leaked = { ...other.jwk, kid: 'leaked', d: 'AAAA' };
    const verifier = verifierOf(jwksOf(key.jwk, leaked));
    const token = await signToken({ ...other, jwk: { ...other.jwk, kid: 'leaked' } });
    expect(await refusal(token, verifier)).toMatchObject(generic);
  });

  it('is signed by an algorithm that is good but not allowed', async () => {
    const ps = await createKey('ps', 'PS256');
    expect(await refusal(await signToken(ps), verifierOf(jwksOf(ps.jwk)))).toMatchObject(generic);
  });

  it('is signed by another key under the same kid, or under an unknown one', async () => {
    expect(await refusal(await signToken(other))).toMatchObject(generic);
    expect(await refusal(await signToken(key, {}, { kid: 'nobody' }))).toMatchObject(generic);
  });

  it.each<[string, TestClaims]>([
    ['another issuer', { iss: 'https://evil.example.com' }],
    ['the issuer with a slash more', { iss: `${testIssuer}/` }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'billing' }],
    ['no audience', { aud: undefined }],
    ['a start in the future', { nbf: inSeconds(60) }],
    ['no end', { exp: undefined }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['a subject with a line break', { sub: 'a\nb' }],
    ['a subject of 257 characters', { sub: 'x'.repeat(257) }],
  ])('has %s', async (_, wrong) => {
    expect(await refusal(await signToken(key, wrong))).toMatchObject(generic);
  });

  it('has an end, a start or a subject of another type', async () => {
    for (const wrong of [{ exp: '9999999999' }, { nbf: 'now' }, { sub: 5 }])
      expect(await refusal(await signToken(key, wrong))).toMatchObject(generic);
  });

  it('has ended, which its holder is told', async () => {
    const { code, message, headers } = await refusal(await signToken(key, { exp: inSeconds(-60) }));
    expect([code, message]).toEqual([
      'UNAUTHENTICATED',
      'The access token has expired. Get a new one.',
    ]);
    expect(headers['www-authenticate']).toContain('error="invalid_token"');
  });

  it('has ended, which nobody is told whose signature is bad', async () => {
    expect(await refusal(await signToken(other, { exp: inSeconds(-60) }))).toMatchObject(generic);
  });

  it('wants extensions of us that are critical', async () => {
    const header = { alg: 'ES256', kid: 'key-1', crit: ['exotic'], exotic: true };
    const token = forgedToken(header, claims, 'AAAA');
    expect(await refusal(token)).toMatchObject(generic);
  });

  it('brings its key along, or points at it', async () => {
    const outsider = await createKey('outsider');
    for (const header of [
      { jwk: outsider.jwk, kid: undefined },
      { jwk: outsider.jwk },
      { jku: 'http://127.0.0.1:9/jwks.json' },
      { x5u: 'http://127.0.0.1:9/cert.pem' },
      { x5c: ['MIIB'] },
    ])
      expect(await refusal(await signToken(outsider, {}, header))).toMatchObject(generic);
  });

  it('is encrypted, or has more or fewer parts', async () => {
    const token = await signToken(key);
    for (const wrong of [`${token}.`, `${token}.AAAA.BBBB`, 'a.b.c', '..', 'x'])
      expect(await refusal(wrong)).toMatchObject(generic);
  });

  it('differs from a good one in any place', async () => {
    const verifier = verifierOf();
    const good = await signToken(key);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: good.length - 1 }),
        fc.constantFrom(...'AQgw_-.='),
        async (at, character) => {
          // The last character of a part has bits that mean nothing; without them two texts are one signature.
          if (
            good[at] === character ||
            [...good.matchAll(/.(?=\.|$)/g)].some((m) => m.index === at)
          )
            return;
          const token = good.slice(0, at) + character + good.slice(at + 1);
          expect(await refusal(token, verifier)).toMatchObject({ code: 'UNAUTHENTICATED' });
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a token that was verified', () => {
  it('is known at once until it ends, and no longer', async () => {
    let nowMs = Date.now();
    const keys = new SigningKeys({
      read: () => Promise.resolve(jwksOf(key.jwk)),
      keptMs: 3_600_000,
      nowMs: () => 0,
      logger: quietLogger(),
    });
    const rules = {
      issuer: testIssuer,
      audience: testAudience,
      algorithms: ['ES256'],
      clockToleranceMs: 30_000,
      principalClaim: 'sub',
      scopeClaim: 'scope',
    };
    const verifier = new TokenVerifier({ rules, keys, now: () => new Date(nowMs) });
    const token = await signToken(key);
    await keys.refresh();
    const principal = await verifier.verify(token);
    expect(verifier.recall(token)).toBe(principal);
    nowMs += 329_000;
    expect(verifier.recall(token)).toBe(principal);
    nowMs += 2_000;
    expect(verifier.recall(token)).toBeUndefined();
  });

  it('is looked at again when the keys have changed: its key may have been withdrawn', async () => {
    let jwks = jwksOf(key.jwk, rsa.jwk);
    let nowMs = 0;
    const keys = new SigningKeys({
      read: () => Promise.resolve(jwks),
      keptMs: 3_600_000,
      nowMs: () => nowMs,
      logger: quietLogger(),
    });
    const verifier = new TokenVerifier({
      rules: {
        issuer: testIssuer,
        audience: testAudience,
        algorithms: ['ES256', 'RS256'],
        clockToleranceMs: 0,
        principalClaim: 'sub',
        scopeClaim: 'scope',
      },
      keys,
      now: () => new Date(),
    });
    const token = await signToken(key);
    await keys.refresh();
    await verifier.verify(token);
    expect(verifier.recall(token)).toBeDefined();
    jwks = jwksOf(rsa.jwk);
    nowMs += 301_000;
    // Reads the keys behind this request.
    verifier.recall(token);
    await keys.refresh();
    expect(verifier.recall(token)).toBeUndefined();
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
