import { errors, jwtVerify, type JWTPayload } from 'jose';
import { maxPrincipalLength, readScopes, type Principal } from './principal.ts';
import { tokenRefused } from './refusals.ts';
import type { SigningKeys } from './signing-keys.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** What a token must be to be accepted. */
export interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  /** Of `asymmetricAlgorithms`. */
  readonly algorithms: readonly string[];
  readonly clockToleranceMs: number;
  readonly principalClaim: string;
  readonly scopeClaim: string;
}

/** Most verified tokens that are remembered: some 3 MB. */
const maxRemembered = 10_000;

/**
 * Says whose a token is. Signature, algorithm, issuer, audience, `exp` (required) and `nbf` are checked (RFC 9068 4, RFC 8725); the key is chosen
 * among the issuer's by `kid`, never by what the token brings or points at (`jwk`, `jku`, `x5c`, `x5u`).
 */
export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #keys: SigningKeys;
  readonly #now: () => Date;
  readonly #verified = new VerifiedTokens(maxRemembered);
  #generation = 0;

  constructor({
    rules,
    keys,
    now,
  }: {
    readonly rules: TokenRules;
    readonly keys: SigningKeys;
    readonly now: () => Date;
  }) {
    this.#rules = rules;
    this.#keys = keys;
    this.#now = now;
  }

  /** The principal of a token that was verified before; undefined if `verify` has to be asked. At once, without a promise. */
  recall(token: string): Principal | undefined {
    if (!this.#keys.isUsable()) return undefined;
    this.#forgetOldKeys();
    return this.#verified.get(token, this.#now().getTime());
  }

  /** @throws ApiError UNAUTHENTICATED, KEYS_UNAVAILABLE */
  async verify(token: string): Promise<Principal> {
    const { issuer, audience, algorithms, clockToleranceMs, principalClaim, scopeClaim } =
      this.#rules;
    let payload: JWTPayload;
    const { generation } = this.#keys;
    try {
      ({ payload } = await jwtVerify(token, (header, input) => this.#keys.keyFor(header, input), {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceMs / 1_000,
        requiredClaims: ['exp', principalClaim],
        currentDate: this.#now(),
      }));
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw tokenRefused(error, { isExpired: true });
      if (error instanceof errors.JOSEError) throw tokenRefused(error);
      throw error;
    }
    const id = payload[principalClaim];
    if (typeof id !== 'string' || !isPrincipalId(id))
      throw tokenRefused(
        new Error(
          `the claim ${principalClaim} is no text of 1 to ${maxPrincipalLength} characters`,
        ),
      );
    const principal = { id, scopes: readScopes(payload[scopeClaim]) };
    const { exp = 0 } = payload;
    this.#forgetOldKeys();
    // Keys that came while the signature was checked may be without the one that it was checked by.
    if (generation === this.#generation)
      this.#verified.set(token, { principal, endsMs: exp * 1_000 + clockToleranceMs });
    return principal;
  }

  /** What was verified by other keys is looked at again: the key may have been withdrawn. */
  #forgetOldKeys(): void {
    if (this.#generation === this.#keys.generation) return;
    this.#verified.clear();
    this.#generation = this.#keys.generation;
  }
}

/** No control characters, which would make a log line of another shape in whatever prints it raw. */
function isPrincipalId(text: string): boolean {
  return text.length > 0 && text.length <= maxPrincipalLength && !/\p{C}/u.test(text);
}
