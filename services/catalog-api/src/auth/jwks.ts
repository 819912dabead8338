import type { JWK } from 'jose';

/** A key set as it was read: what may verify signatures, and what may not. */
export interface Jwks {
  readonly keys: readonly JWK[];
  /** Keys that should not be in such a set; each is told in the log, with its kid alone. */
  readonly refused: readonly { readonly kid: string; readonly why: string }[];
}

/** Most keys of a set: each token without a kid is tried against them. */
const maxKeys = 100;
/** Members of RFC 7518 6.2.2, 6.3.2 and RFC 8037 that only the holder of the private half knows. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const;

/**
 * Reads a JSON Web Key Set (RFC 7517). Only public halves of RSA, EC and OKP keys for signatures are taken. A shared secret (`oct`) never
 * verifies anything; a key that shows its private half is everybody's, so what it signs says nothing.
 * @throws Error if the text is no key set, or holds no key that can be used.
 */
export function readJwks(text: string): Jwks {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  const listed = (parsed as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) throw new Error('it has no array "keys"');
  if (listed.length > maxKeys) throw new Error(`it has more than ${maxKeys} keys`);
  const keys: JWK[] = [];
  const refused: { kid: string; why: string }[] = [];
  for (const key of listed as readonly unknown[]) {
    if (typeof key !== 'object' || key === null) continue;
    const why = whyRefused(key);
    if (why !== undefined) {
      const { kid } = key as { kid?: unknown };
      refused.push({ kid: typeof kid === 'string' ? kid.slice(0, 100) : 'without kid', why });
    } else if (isForSignatures(key)) keys.push(key);
  }
  if (keys.length === 0)
    throw new Error(
      `it has no public key for signatures${refused.length === 0 ? '' : `, and ${refused.length} that must not be there: ${refused[0]?.why ?? ''}`}`,
    );
  return { keys, refused };
}

function whyRefused(key: JWK): string | undefined {
  if (key.kty === 'oct' || key.k !== undefined)
    return 'a shared secret: whoever checks tokens by it could make them';
  if (privateMembers.some((member) => Object.hasOwn(key, member)))
    return 'it shows its private half: withdraw the key, anybody can sign with it';
  // Base64url: six bits a character. RFC 7518 3.3 wants 2,048 bits.
  if (key.kty === 'RSA' && (key.n?.length ?? 0) * 6 < 2_048)
    return 'an RSA key of less than 2,048 bits';
  return undefined;
}

function isForSignatures({ kty, use, key_ops: operations }: JWK): boolean {
  return (
    (kty === 'RSA' || kty === 'EC' || kty === 'OKP') &&
    (use === undefined || use === 'sig') &&
    (operations === undefined || operations.includes('verify'))
  );
}
