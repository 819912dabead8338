import { createLogger, quietLogger } from '@outbound/service-kit';
import { errors } from 'jose';
import { describe, expect, it } from 'vitest';
import { createKey, jwksOf } from '../test-support/test-issuer.ts';
import { SigningKeys } from './signing-keys.ts';

const first = await createKey('first');
const second = await createKey('second');

/** An issuer under the test's hands, and a clock. */
function issuerOf(text: string) {
  const issuer = { text, isAway: false, readCount: 0, nowMs: 0, onRead: () => undefined as void };
  const keys = new SigningKeys({
    read: () => {
      issuer.readCount += 1;
      issuer.onRead();
      return issuer.isAway
        ? Promise.reject(new Error('the issuer is away'))
        : Promise.resolve(issuer.text);
    },
    keptMs: 3_600_000,
    nowMs: () => issuer.nowMs,
    logger: quietLogger(),
  });
  const keyFor = (kid: string) =>
    keys.keyFor({ alg: 'ES256', kid }, { payload: '', signature: '' });
  return { issuer, keys, keyFor };
}

describe('the keys of the issuer', () => {
  it('are read once for all who wait', async () => {
    const { issuer, keyFor } = issuerOf(jwksOf(first.jwk));
    await Promise.all([keyFor('first'), keyFor('first'), keyFor('first')]);
    expect(issuer.readCount).toBe(1);
  });

  it('are read at once when a token names a new one', async () => {
    const { issuer, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    issuer.text = jwksOf(first.jwk, second.jwk);
    issuer.nowMs += 5_000;
    await keyFor('second');
    expect(issuer.readCount).toBe(2);
  });

  it('are not read more often than the cool-down by a flood of unknown kids', async () => {
    const { issuer, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    for (let n = 0; n < 1_000; n += 1) {
      issuer.nowMs += 10;
      await expect(keyFor(`unknown-${n}`)).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    }
    expect(issuer.readCount).toBe(3);
  });

  it('are used for a bounded time while the issuer is away; then the answer is 503 and no refusal', async () => {
    const { issuer, keys, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    issuer.isAway = true;
    issuer.nowMs = 3_600_000;
    await keyFor('first');
    expect(keys.isUsable()).toBe(true);
    issuer.nowMs += 10_000;
    expect(keys.isUsable()).toBe(false);
    await expect(keyFor('first')).rejects.toMatchObject({
      code: 'KEYS_UNAVAILABLE',
      retryAfterSeconds: 5,
    });
    issuer.isAway = false;
    issuer.nowMs += 10_000;
    await keyFor('first');
    expect(keys.ageSeconds).toBe(0);
  });

  it('that are unknown while the issuer is away may exist: 503', async () => {
    const { issuer, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    issuer.isAway = true;
    issuer.nowMs += 6_000;
    for (const _ of [1, 2])
      await expect(keyFor('second')).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    expect(issuer.readCount).toBe(2);
    await keyFor('first');
  });

  it('were never read: 503, and an age that is not known', async () => {
    const { issuer, keys, keyFor } = issuerOf('');
    issuer.isAway = true;
    await expect(keyFor('first')).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    expect(keys.ageSeconds).toBeNaN();
    expect(keys.isUsable()).toBe(false);
  });

  it('stay as they are when what is read is broken', async () => {
    const { issuer, keys, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    for (const text of ['', '{"keys":[]}', '{"keys":', '<html>']) {
      issuer.text = text;
      issuer.nowMs += 301_000;
      await keys.refresh();
      await keyFor('first');
    }
  });

  it('are read again behind the requests, which do not wait', async () => {
    const { issuer, keys, keyFor } = issuerOf(jwksOf(first.jwk));
    await keyFor('first');
    issuer.nowMs += 301_000;
    let hasRead = (): void => undefined;
    const read = new Promise<void>((resolve) => (hasRead = resolve));
    issuer.onRead = hasRead;
    await keyFor('first');
    await read;
    expect(issuer.readCount).toBe(2);
    expect(keys.generation).toBe(1);
  });

  it('that must not be there are told in the log by their kid alone', async () => {
    const lines: string[] = [];
    const keys = new SigningKeys({
      read: () =>
        Promise.resolve(
          jwksOf(first.jwk, { ...second.jwk, d: 'private-part' }, { kty: 'oct', k: 'the-secret' }),
        ),
      keptMs: 3_600_000,
      nowMs: () => 0,
      logger: createLogger({ service: 'test', level: 'debug', write: (line) => lines.push(line) }),
    });
    await keys.refresh();
    const log = lines.join('');
    expect(log).toContain('"kid":"second"');
    expect(log).toContain('"kid":"without kid"');
    expect(log).not.toMatch(/private-part|the-secret/);
  });
});
