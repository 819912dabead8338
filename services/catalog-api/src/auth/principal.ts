/** Who makes a request, as a verified token says. */
export interface Principal {
  /** The value of the claim that names callers (`authPrincipalClaim`): visible in logs, so no secret. */
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
}

/** Longest id of a principal, in characters. */
export const maxPrincipalLength = 256;

/**
 * The scopes of a token: a text with spaces between them (RFC 8693 4.2, RFC 9068 2.2.3), or an array of texts as some issuers write it.
 * Anything else grants nothing.
 */
export function readScopes(claim: unknown): ReadonlySet<string> {
  const scopes: readonly unknown[] =
    typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return new Set(
    scopes.filter((scope): scope is string => typeof scope === 'string' && scope !== ''),
  );
}
