import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** What the tokens of these tests say by themselves. */
export const testIssuer = 'https://issuer.example.com';
export const testAudience = 'catalog-api';

/** Claims of whatever type; one that is undefined is left out. */
export type TestClaims = Readonly<Record<string, unknown>>;

/** A key pair under a kid. */
export interface TestKey {
  readonly privateKey: CryptoKey;
  /** The public half, as an issuer publishes it. */
  readonly jwk: JWK;
}

export async function createKey(kid: string, alg = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** The text of a key set. */
export function jwksOf(...keys: readonly JWK[]): string {
  return JSON.stringify({ keys });
}

/** Seconds since the epoch, as `exp` counts them. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}

/** A good token of the key, but for what is said otherwise; a claim that is undefined is left out. */
export async function signToken(
  { privateKey, jwk }: TestKey,
  claims: TestClaims = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const payload = {
    iss: testIssuer,
    aud: testAudience,
    sub: 'tester',
    exp: inSeconds(300),
    scope: 'catalog.product.read catalog.event-type.read',
    ...claims,
  };
  return new SignJWT(
    Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined)),
  )
    .setProtectedHeader({
      alg: jwk.alg ?? 'ES256',
      ...(jwk.kid === undefined ? {} : { kid: jwk.kid }),
      ...header,
    })
    .sign(privateKey);
}

/** A token put together by hand: whatever header, payload and signature. */
export function forgedToken(header: object, payload: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.${signature}`;
}
