import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { PipelineError } from '@outbound/service-kit';

/** As Postgres' own: salt of 16 bytes, `scram_iterations` of 4096. */
const saltBytes = 16;
const iterations = 4_096;
const keyBytes = 32;

/** RFC 3454 C.1.2 becomes a space, B.1 becomes nothing. Source: RFC 4013 2.1. */
const otherSpaces = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const nothing = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

/**
 * What Postgres keeps in place of a password (`pg_authid.rolpassword`), made here: so the password itself is in no statement, and in no log of the server, whether the
 * statement is refused, slow or logged. Shape: `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>`. Source: RFC 5802 3, RFC 7677.
 * @param salt random but in tests.
 * @throws PipelineError CONFIG_INVALID for a password that SASLprep would change: whether it does depends on the program that logs in and its Unicode tables, so it might fit
 * one and not the other. The message does not quote it.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(saltBytes)): string {
  assertPrepared(password);
  const salted = pbkdf2Sync(password, salt, iterations, keyBytes, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest();
  const serverKey = hmac('Server Key');
  const text = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${text[0] ?? ''}$${text[1] ?? ''}:${text[2] ?? ''}`;
}

/** A text that mapping and normalizing leave alone is its own prepared form; or it has a forbidden character, and then Postgres takes it as it is. */
function assertPrepared(password: string): void {
  const prepared = password.replace(otherSpaces, ' ').replace(nothing, '').normalize('NFKC');
  const hasHalf = /\p{Surrogate}/u.test(password);
  if (password !== '' && !hasHalf && prepared === password) return;
  throw new PipelineError(
    'CONFIG_INVALID',
    'a password is empty, or has characters that logins rewrite before they use it (SASLprep: ligatures, wide or invisible ones, accents written apart): choose one without them, such as one of ASCII alone',
  );
}
