import { developmentIssuer } from '@outbound/development-issuer';
import { flagSetting, integerSetting, listSetting } from '@outbound/service-kit';
import { z } from 'zod';
import { isLoopback } from '../loopback.ts';

/**
 * Signature algorithms that may be allowed. Asymmetric ones only: with a shared secret whoever checks a token could also make one, and with
 * HS256 in the list the issuer's public key would be such a secret. Source: RFC 8725 3.1, RFC 7518 3.1, RFC 8037.
 */
export const asymmetricAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

/** Settings of authentication, each with its unit and default. */
export function authSettings() {
  return {
    auth: z
      .enum(['on', 'off'])
      .default('on')
      .describe(
        'on: callers show a bearer token. off: everybody is admitted to everything, for local use; refused unless CATALOG_API_HOST is loopback.',
      ),
    authIssuer: z
      .string()
      .max(1_000)
      .optional()
      .describe('Who issues the tokens: the exact text of their claim iss.')
      .meta({ example: 'https://issuer.example.com' }),
    authAudience: z
      .string()
      .max(1_000)
      .optional()
      .describe('Who the tokens are for: a text that their claim aud must hold.')
      .meta({ example: 'catalog-api' }),
    authJwksUrl: jwksUrlSetting()
      .optional()
      .describe("Where the issuer's public keys are (JWKS). This or CATALOG_API_AUTH_JWKS_PATH.")
      .meta({ example: 'https://issuer.example.com/.well-known/jwks.json' }),
    authJwksPath: z
      .string()
      .optional()
      .describe(
        "File with the issuer's public keys (JWKS), read again as a URL would be. This or CATALOG_API_AUTH_JWKS_URL.",
      )
      .meta({ example: '/etc/outbound/jwks.json' }),
    authAlgorithms: listSetting()
      .pipe(
        z
          .array(
            z.enum(asymmetricAlgorithms, `expected of each: ${asymmetricAlgorithms.join(', ')}`),
          )
          .min(1),
      )
      .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
      .describe('Signature algorithms that are accepted, separated by commas.'),
    authPrincipalClaim: z
      .string()
      .min(1)
      .default('sub')
      .describe(
        'Claim that names the caller, in logs, limits and the scope of idempotency keys: sub, or client_id. A token without it is refused.',
      ),
    authScopeClaim: z
      .string()
      .min(1)
      .default('scope')
      .describe(
        'Claim that holds the scopes, as a text with spaces between them or as an array: scope, or scp.',
      ),
    authClockToleranceMs: integerSetting({ min: 0, max: 300_000 })
      .default(30_000)
      .describe("How far the issuer's clock and ours may differ.")
      .meta({ unit: 'ms' }),
    authKeysKeptMs: integerSetting({ min: 10_000, max: 86_400_000 })
      .default(3_600_000)
      .describe(
        'How long keys are used that could not be read again, because the issuer does not answer; then callers get 503.',
      )
      .meta({ unit: 'ms' }),
    authDevelopmentIssuer: flagSetting()
      .default(false)
      .describe(
        `Admit tokens of ${developmentIssuer}, the issuer of npm start and compose, whose private key lies in a file. Never in production.`,
      ),
  };
}

/** The settings, parsed. */
export type AuthSettings = Readonly<z.output<z.ZodObject<ReturnType<typeof authSettings>>>>;

/** What is wrong with settings that are right one by one: the setting, and what to do. */
export function authProblems({
  host,
  ...settings
}: AuthSettings & { readonly host: string }): readonly {
  readonly key: keyof AuthSettings;
  readonly message: string;
}[] {
  const { auth, authIssuer, authAudience, authJwksUrl, authJwksPath, authDevelopmentIssuer } =
    settings;
  if (auth === 'off') {
    if (isLoopback(host)) return [];
    const message = `nobody would be asked who they are on ${host}, which others can reach: set CATALOG_API_AUTH=on with CATALOG_API_AUTH_ISSUER, _AUDIENCE and _JWKS_URL, or CATALOG_API_HOST=127.0.0.1`;
    return [{ key: 'auth', message }];
  }
  const problems: { key: keyof AuthSettings; message: string }[] = [];
  if (authIssuer === undefined) problems.push({ key: 'authIssuer', message: 'is missing' });
  if (authAudience === undefined) problems.push({ key: 'authAudience', message: 'is missing' });
  if (authJwksUrl === undefined && authJwksPath === undefined)
    problems.push({ key: 'authJwksUrl', message: 'is missing' });
  if (authJwksUrl !== undefined && authJwksPath !== undefined)
    problems.push({
      key: 'authJwksPath',
      message: 'CATALOG_API_AUTH_JWKS_URL is set too; keep one of them',
    });
  if (authIssuer === developmentIssuer && !authDevelopmentIssuer)
    problems.push({
      key: 'authIssuer',
      message:
        'its private key lies in a file for everybody who can read it: name a real issuer, or for development set CATALOG_API_AUTH_DEVELOPMENT_ISSUER=true',
    });
  return problems;
}

/** Over https: whoever is on the way could put keys of their own into an answer over http. From this machine itself either will do. */
function jwksUrlSetting() {
  return z.string().superRefine((text, context) => {
    const refuse = (message: string): void => void context.addIssue({ code: 'custom', message });
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined) return refuse('expected an https URL');
    if (url.username !== '' || url.password !== '')
      return refuse('expected no user and no password in it');
    const isLocal = url.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
    if (url.protocol !== 'https:' && !isLocal)
      refuse('expected https: whoever is on the way could put keys of their own into the answer');
  });
}
