import { ApiError } from '../../errors.ts';
import type { Aggregate } from '../aggregate.ts';
import { fromDatabaseError } from '../database-errors.ts';
import { executeOnce, type Answer, type IdempotencyRequest } from '../idempotency.ts';
import { transact, type CommandContext, type UnitOfWork } from '../unit-of-work.ts';
import type { BulkItem, ItemOutcome } from './bulk-item.ts';
import { findHolders, lockTargets, targetId } from './lock-targets.ts';
import { ChangedMeanwhile, createGroup, writeGroup } from './write-group.ts';

/** Most items of one transaction: a bulk load never holds back single events behind one huge commit. */
export const chunkSize = 100;

/** Most bytes of stored rows that are held at a time, but for a single one. */
const maxGroupBytes = 262_144;

/** Tries before the slow way, each upon what others have committed meanwhile. */
const quickTries = 3;

/**
 * Does the items of one chunk in one transaction, each upon what those before it have left; an item that is refused takes none of its neighbours with it. With a key, the answer of
 * the whole chunk is kept in that transaction, so a batch that broke off goes on where it stopped; an item that should be tried again then refuses the chunk.
 *
 * Rows are locked in the order of their ids, and inserted in the order of their keys, so that two chunks do not wait for each other. They are written with a statement for all and not
 * with one for each, and collisions are found by looking and by `on conflict do nothing`, and not by an error, which would need a savepoint per item: more than
 * 64 subtransactions of one transaction overflow what each backend caches of them, and every reader pays. Only where the database refuses something all the same, or the others
 * are faster three times, each item is done by itself in such a savepoint.
 * @throws ApiError about the whole chunk, of which nothing was done then.
 */
export async function writeChunk(
  context: CommandContext,
  aggregate: Aggregate,
  items: readonly BulkItem[],
  options: {
    readonly idempotency: IdempotencyRequest | undefined;
    readonly answer: (outcomes: readonly ItemOutcome[]) => Answer;
  },
): Promise<Answer> {
  const run = (write: typeof writeTogether): Promise<Answer> =>
    transact(context, aggregate, (unit) =>
      executeOnce(unit, options.idempotency, async () => {
        const outcomes = await write(unit, aggregate, items);
        if (options.idempotency !== undefined) assertFinal(outcomes);
        return options.answer(outcomes);
      }),
    );
  for (let quickTry = 1; quickTry <= quickTries; quickTry += 1)
    try {
      return await run(writeTogether);
    } catch (error) {
      if (isAnItemsFault(error)) break;
      if (!isChangedMeanwhile(error)) throw error;
    }
  return run(writeSingly);
}

async function writeTogether(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
): Promise<readonly ItemOutcome[]> {
  if (items.every((item) => 'error' in item || item.op === 'create'))
    return createGroup(unit, aggregate, items);
  const { holders, sizes } = await lockTargets(unit, aggregate, items);
  const groups = groupsOf(
    items,
    (item) => sizes.get(targetId(aggregate, item, holders) ?? '') ?? 0,
  );
  // Usually there is one; behind another one, keys may have other holders.
  const [first, ...rest] = groups;
  const outcomes = [...(await writeGroup(unit, aggregate, first ?? [], holders))];
  for (const group of rest)
    outcomes.push(
      ...(await writeGroup(unit, aggregate, group, await findHolders(unit, aggregate, group))),
    );
  return outcomes;
}

/** The slow way: a savepoint per item. */
async function writeSingly(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
): Promise<readonly ItemOutcome[]> {
  await lockTargets(unit, aggregate, items);
  const outcomes: ItemOutcome[] = [];
  for (const item of items) outcomes.push(await writeSingle(unit, aggregate, item));
  return outcomes;
}

async function writeSingle(
  unit: UnitOfWork,
  aggregate: Aggregate,
  item: BulkItem,
): Promise<ItemOutcome> {
  for (let attempt = 1; attempt <= quickTries; attempt += 1)
    try {
      const [outcome] = await unit.tx.transaction(async (tx) => {
        const within = { ...unit, tx };
        const holders = await findHolders(within, aggregate, [item]);
        return writeGroup(within, aggregate, [item], holders);
      });
      if (outcome !== undefined) return outcome;
    } catch (thrown) {
      const error = fromDatabaseError(thrown, aggregate);
      if (isAnItemsFault(error)) return { error };
      if (!isChangedMeanwhile(error)) throw thrown;
    }
  return {
    error: new ApiError(
      'WRITE_CONFLICT',
      'Concurrent changes collided. Nothing was written; try again.',
      { retryAfterSeconds: 1 },
    ),
  };
}

/** What is kept under a key is the last word: an outcome that says "try again" would be given again to whoever does. @throws ApiError of the first such; nothing of the chunk is done then. */
function assertFinal(outcomes: readonly ItemOutcome[]): void {
  for (const outcome of outcomes)
    if ('error' in outcome && outcome.error.retryAfterSeconds !== undefined) throw outcome.error;
}

/** The database refused a value that the schema let pass, or to let go what others refer to, and that ended the transaction for all: whose it was has to be found out. */
function isAnItemsFault(error: unknown): error is ApiError {
  return (
    error instanceof ApiError && (error.code === 'VALIDATION_FAILED' || error.code === 'REFERENCED')
  );
}

/** Also a unique key that an update met: when we looked nobody had it. */
function isChangedMeanwhile(error: unknown): boolean {
  return (
    error instanceof ChangedMeanwhile || (error instanceof ApiError && error.code === 'CONFLICT')
  );
}

/** Cuts items so that the rows they name are not too many bytes at a time. */
function groupsOf(
  items: readonly BulkItem[],
  sizeOf: (item: BulkItem) => number,
): readonly (readonly BulkItem[])[] {
  const groups: BulkItem[][] = [];
  let bytes = 0;
  for (const item of items) {
    const added = sizeOf(item);
    const group = groups.at(-1);
    if (group !== undefined && bytes + added <= maxGroupBytes) {
      group.push(item);
      bytes += added;
    } else {
      groups.push([item]);
      bytes = added;
    }
  }
  return groups;
}
