import { PipelineError, type Logger } from '@outbound/service-kit';
import type { AuthSettings } from './auth-settings.ts';
import { readJwksSource, type JwksSource } from './read-jwks-source.ts';
import { SigningKeys } from './signing-keys.ts';
import { TokenVerifier } from './token-verifier.ts';

/** What checks tokens, and what can be asked of its keys. */
export interface Authentication {
  readonly verifier: TokenVerifier;
  readonly keys: SigningKeys;
}

/**
 * Makes what checks tokens, and reads the issuer's keys once. An issuer that does not answer is waited for (callers get 503 meanwhile); a file that cannot be
 * used is a setting that is wrong.
 * @returns undefined where authentication is off.
 * @throws PipelineError CONFIG_INVALID
 */
export async function createAuthentication(
  settings: AuthSettings,
  logger: Logger,
): Promise<Authentication | undefined> {
  const { authIssuer, authAudience, authJwksUrl, authJwksPath } = settings;
  if (settings.auth === 'off') return undefined;
  const source: JwksSource | undefined =
    authJwksUrl !== undefined
      ? { url: authJwksUrl }
      : authJwksPath !== undefined
        ? { path: authJwksPath }
        : undefined;
  if (authIssuer === undefined || authAudience === undefined || source === undefined)
    throw new PipelineError(
      'CONFIG_INVALID',
      'CATALOG_API_AUTH is on without an issuer, an audience or keys: set CATALOG_API_AUTH_ISSUER, _AUDIENCE and _JWKS_URL or _JWKS_PATH',
    );
  const keys = new SigningKeys({
    read: () => readJwksSource(source),
    keptMs: settings.authKeysKeptMs,
    nowMs: () => performance.now(),
    logger,
  });
  const fault = await keys.refresh();
  if (fault !== undefined && 'path' in source)
    throw new PipelineError(
      'CONFIG_INVALID',
      `CATALOG_API_AUTH_JWKS_PATH: ${(fault as Error).message}: put the issuer's JSON Web Key Set there, public halves alone`,
    );
  const verifier = new TokenVerifier({
    rules: {
      issuer: authIssuer,
      audience: authAudience,
      algorithms: settings.authAlgorithms,
      clockToleranceMs: settings.authClockToleranceMs,
      principalClaim: settings.authPrincipalClaim,
      scopeClaim: settings.authScopeClaim,
    },
    keys,
    now: () => new Date(),
  });
  return { verifier, keys };
}
