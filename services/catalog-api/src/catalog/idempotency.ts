import { createHash } from 'node:crypto';
import { stringifyJson } from '@outbound/contract';
import { inTransaction, type StatementValues } from '@outbound/outbox';
import { idempotencyKeyTable as keys } from '@outbound/schemas';
import { and, eq, gt, gte, lte, sql } from 'drizzle-orm';
import { ApiError } from '../errors.ts';
import { keptValues } from './keep-answer.ts';
import { transactionOptions, type CommandContext, type UnitOfWork } from './unit-of-work.ts';

/** What makes a repeated request the same one. */
export interface IdempotencyRequest {
  /** The operation that the key belongs to: `POST /products`, `PATCH /products/{id}`. */
  readonly scope: string;
  readonly key: string;
  /** SHA-256 of all that tells one request of this operation from another, 32 bytes. */
  readonly requestHash: Buffer;
}

/** An answer as it is sent and, with a key, kept. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** It was given under this key before, and nothing was done now. */
  readonly isRepeated?: boolean;
}

/** How long an answer is remembered. Source: Zalando rule 230. */
export const keptForMs = 24 * 60 * 60 * 1_000;

/**
 * Gives the answer that was given under this key before, or does the work and keeps its answer in the same transaction: row, event and
 * memory of them commit together or not at all (Zalando rule 230), so a failed request is not remembered.
 *
 * **Order**: the lock comes first. Twins queue there; the second looks only after the first has committed, and sees its answer. A look before
 * the lock would let both find nothing.
 * @throws ApiError IDEMPOTENCY_KEY_REUSED if the key came with another request.
 */
export async function executeOnce(
  { tx, context }: Pick<UnitOfWork, 'tx' | 'context'>,
  request: IdempotencyRequest | undefined,
  work: () => Promise<Answer>,
): Promise<Answer> {
  if (request === undefined) return work();
  const { key, requestHash } = request;
  const scope = callersScope(request.scope, context.principal);
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${lockName(scope, key)}, 0))`);
  const now = context.now();
  const [kept] = await tx
    .select()
    .from(keys)
    .where(
      and(
        eq(keys.scope, scope),
        eq(keys.key, key),
        gt(keys.createdAt, new Date(now.getTime() - keptForMs)),
      ),
    );
  if (kept !== undefined && !requestHash.equals(kept.requestHash))
    throw new ApiError(
      'IDEMPOTENCY_KEY_REUSED',
      'This Idempotency-Key came before with another request: its path, preconditions and body have to be the same. Use a new key for a new request.',
    );
  if (kept?.responseStatus != null)
    return {
      status: kept.responseStatus,
      body: kept.responseBody ?? '',
      headers: toHeaders(kept.responseHeaders),
      isRepeated: true,
    };
  const answer = await work();
  const row = keptRow(requestHash, answer, now);
  await tx
    .insert(keys)
    .values({ scope, key, ...row })
    .onConflictDoUpdate({ target: [keys.scope, keys.key], set: row });
  return answer;
}

/** What a statement with `keepAnswer` needs, so that the answer is kept with what it does. */
export function valuesToKeep(
  { principal, now }: Pick<CommandContext, 'principal' | 'now'>,
  request: IdempotencyRequest,
  answer: Answer,
): StatementValues {
  const { key, requestHash } = request;
  const scope = callersScope(request.scope, principal);
  return keptValues(lockName(scope, key), {
    scope,
    key,
    ...keptRow(requestHash, answer, now()),
  });
}

function keptRow(requestHash: Buffer, { status, body, headers }: Answer, createdAt: Date) {
  return {
    requestHash,
    responseStatus: status,
    responseBody: body,
    responseHeaders: stringifyJson(headers),
    createdAt,
  };
}

/**
 * Gives the step that forgets at most `limit` answers older than 24 hours, the oldest first, and says how many those were. Rows that another instance is forgetting are
 * skipped, so instances do not wait for each other. Each step begins where the one before ended: from the beginning it would walk over all that was just deleted, which the index
 * still has while any old snapshot is open.
 */
export function forgetExpired(
  context: Pick<CommandContext, 'db' | 'timeouts'>,
  now: Date,
  limit: number,
): () => Promise<number> {
  const until = new Date(now.getTime() - keptForMs);
  let from: Date | undefined;
  return async () => {
    const forgotten = await inTransaction(
      context.db,
      ({ tx }) => {
        const expired = tx
          .select({ scope: keys.scope, key: keys.key })
          .from(keys)
          .where(
            and(
              lte(keys.createdAt, until),
              from === undefined ? undefined : gte(keys.createdAt, from),
            ),
          )
          .orderBy(keys.createdAt)
          .limit(limit)
          .for('update', { skipLocked: true });
        return tx
          .delete(keys)
          .where(sql`(${keys.scope}, ${keys.key}) in (${expired})`)
          .returning({ createdAt: keys.createdAt });
      },
      await transactionOptions(context),
    );
    for (const { createdAt } of forgotten)
      if (from === undefined || createdAt > from) from = createdAt;
    return forgotten.length;
  };
}

/**
 * The scope of one caller: keys are chosen by callers, and none may get, or be stopped by, what another was answered under the same one. A digest, so
 * that the table names no person.
 */
function callersScope(scope: string, principal: string | undefined): string {
  if (principal === undefined) return scope;
  return `${scope} of ${createHash('sha256').update(principal).digest('base64url')}`;
}

/** What the lock of a key is made of. Two different keys with one hash merely wait for each other. */
function lockName(scope: string, key: string): string {
  return `${scope} ${key}`;
}

/** Headers as stored; pg may have parsed the json already, which loses nothing here: they are texts. */
function toHeaders(stored: unknown): Record<string, string> {
  const value: unknown = typeof stored === 'string' ? JSON.parse(stored) : stored;
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
