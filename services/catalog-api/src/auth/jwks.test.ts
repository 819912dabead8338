import { describe, expect, it } from 'vitest';
import { createKey, jwksOf } from '../test-support/test-issuer.ts';
import { readJwks } from './jwks.ts';

const { jwk } = await createKey('good');

describe('a key set', () => {
  it('gives its public keys for signatures, and names what must not be there', async () => {
    const weak = { ...(await createKey('weak', 'RS256')).jwk, n: 'A'.repeat(171) };
    const { keys, refused } = readJwks(
      jwksOf(
        jwk,
        { ...jwk, kid: 'leaked', d: 'x' },
        { kty: 'oct', kid: 'shared', k: 'x' },
        weak,
        { ...jwk, kid: 'for encryption', use: 'enc' },
        { ...jwk, kid: 'for signing', key_ops: ['sign'] },
        { kty: 'AKP', kid: 'of a kind we do not know' },
      ),
    );
    expect(keys.map(({ kid }) => kid)).toEqual(['good']);
    expect(refused.map(({ kid }) => kid)).toEqual(['leaked', 'shared', 'weak']);
  });

  it.each([
    ['not JSON', 'it is not JSON'],
    ['[]', 'it has no array "keys"'],
    ['null', 'it has no array "keys"'],
    ['{"keys":{}}', 'it has no array "keys"'],
    ['{"keys":[null,5]}', 'it has no public key for signatures'],
    [JSON.stringify({ keys: Array(101).fill(jwk) }), 'it has more than 100 keys'],
    [jwksOf({ kty: 'oct', k: 'x' }), 'it has no public key for signatures, and 1 that must not'],
  ])('%.20s is none: %s', (text, why) => {
    expect(() => readJwks(text)).toThrow(why);
  });
});
