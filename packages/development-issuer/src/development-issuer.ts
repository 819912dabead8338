import { chmod, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';

/** The claim `iss` of its tokens. A service takes them only where it is told to, since whoever reads the key's file can make them. */
export const developmentIssuer = 'urn:outbound:development';

/** The claim `aud` that the catalog of `npm start` and compose wants. */
export const developmentAudience = 'catalog-api';

/** Everything that can be granted, for whoever does not choose. */
export const developmentScopes: readonly string[] = [
  'catalog.product.read',
  'catalog.product.write',
  'catalog.category.read',
  'catalog.category.write',
  'catalog.event-type.read',
];

/** What a token should say; what is left out is for a developer who may everything, for an hour. */
export interface TokenRequest {
  /** Claim `sub`: who the caller is. */
  readonly subject?: string | undefined;
  readonly audience?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly lifetimeSeconds?: number | undefined;
}

const algorithm = 'ES256';

/**
 * An issuer of access tokens for one machine: for `npm start`, compose and tests, in the place of a company's own. Its key pair is made at first
 * use and lies in a folder: `private.jwk` for its owner alone (0600), `jwks.json` for the service that checks tokens.
 */
export class DevelopmentIssuer {
  /** Where the public half is, for the setting of the service. */
  readonly jwksPath: string;
  readonly #key: JWK;

  private constructor(jwksPath: string, key: JWK) {
    this.jwksPath = jwksPath;
    this.#key = key;
  }

  /** The issuer of a folder; its keys are made if there are none. Two who do that at once end with the same ones. */
  static async open(directory: string): Promise<DevelopmentIssuer> {
    await mkdir(directory, { recursive: true });
    const privatePath = join(directory, 'private.jwk');
    const jwksPath = join(directory, 'jwks.json');
    await makeKey(privatePath);
    // One that was copied here may have come with another mode.
    await chmod(privatePath, 0o600);
    const key = JSON.parse(await readFile(privatePath, 'utf8')) as JWK;
    const { d: _private, ...publicHalf } = key;
    const written = `${jwksPath}.${crypto.randomUUID()}`;
    await writeFile(written, `${JSON.stringify({ keys: [publicHalf] })}\n`, { mode: 0o644 });
    await rename(written, jwksPath);
    return new DevelopmentIssuer(jwksPath, key);
  }

  /** A signed access token (RFC 9068). */
  async token({
    subject = 'developer',
    audience = developmentAudience,
    scopes = developmentScopes,
    lifetimeSeconds = 3_600,
  }: TokenRequest = {}): Promise<string> {
    return new SignJWT({ scope: scopes.join(' '), client_id: subject })
      .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: this.#key.kid ?? '' })
      .setIssuer(developmentIssuer)
      .setSubject(subject)
      .setAudience(audience)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${lifetimeSeconds} s`)
      .sign(await importJWK(this.#key, algorithm));
  }
}

/** Writes a new private key, unless one is there: the file appears whole or not at all. */
async function makeKey(path: string): Promise<void> {
  if (await readFile(path, 'utf8').catch(() => undefined)) return;
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const key = {
    ...(await exportJWK(privateKey)),
    kid: `development-${crypto.randomUUID()}`,
    alg: algorithm,
    use: 'sig',
  };
  const written = `${path}.${crypto.randomUUID()}`;
  await writeFile(written, `${JSON.stringify(key)}\n`, { mode: 0o600 });
  try {
    await link(written, path);
  } catch (error) {
    // Somebody else's key is there since.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(written, { force: true });
  }
}
