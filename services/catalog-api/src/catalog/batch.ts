import type { Entity } from '@outbound/schemas';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';
import { newRow } from './commands.ts';
import { fromDatabaseError, uniqueConflict } from './database-errors.ts';
import { insertRows } from './entity-rows.ts';
import { executeOnce, type Answer, type IdempotencyRequest } from './idempotency.ts';
import { transact, type CommandContext, type UnitOfWork } from './unit-of-work.ts';

/** Most items of one transaction: a bulk load never holds back single events behind one huge commit. */
export const chunkSize = 100;

/** One item as it came: an input that fits the schema, or why it does not. */
export type CreateItem = { readonly input: unknown } | { readonly error: ApiError };

/** What became of one item. */
export type ItemOutcome = { readonly entity: Entity } | { readonly error: ApiError };

/**
 * Creates the items of one chunk in one transaction; an item that is refused takes none of its neighbours with it. With a key, the answer of
 * the whole chunk is kept in that transaction, so a batch that broke off goes on where it stopped.
 *
 * A unique key that is taken is found with `on conflict do nothing` and not by an error, which would need a savepoint per item: more than
 * 64 subtransactions of one transaction overflow what each backend caches of them, and every reader pays.
 */
export function createChunk(
  context: CommandContext,
  aggregate: Aggregate,
  items: readonly CreateItem[],
  options: {
    readonly idempotency: IdempotencyRequest | undefined;
    readonly answer: (outcomes: readonly ItemOutcome[]) => Answer;
  },
): Promise<Answer> {
  const run = (insert: typeof insertItems): Promise<Answer> =>
    transact(context, aggregate, (unit) =>
      executeOnce(unit, options.idempotency, async () =>
        options.answer(await insert(unit, aggregate, items)),
      ),
    );
  return run(insertItems).catch((error: unknown) => {
    // The database refused a value that the schema let pass, and that ended the transaction for all: find out whose it was.
    if (isAnItemsFault(error)) return run(insertSingly);
    throw error;
  });
}

/** The slow way: a savepoint per item. */
async function insertSingly(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly CreateItem[],
): Promise<readonly ItemOutcome[]> {
  const outcomes: ItemOutcome[] = [];
  for (const item of items) {
    try {
      const done = await unit.tx.transaction((tx) =>
        insertItems({ ...unit, tx }, aggregate, [item]),
      );
      outcomes.push(...done);
    } catch (thrown) {
      const error = fromDatabaseError(thrown, aggregate);
      if (!isAnItemsFault(error)) throw thrown;
      outcomes.push({ error });
    }
  }
  return outcomes;
}

function isAnItemsFault(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 'VALIDATION_FAILED';
}

async function insertItems(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly CreateItem[],
): Promise<readonly ItemOutcome[]> {
  const { context, tx } = unit;
  const planned = items.map((item) =>
    'error' in item ? item : { row: newRow(context, aggregate, context.newId(), item.input) },
  );
  const rows = planned.flatMap((item) => ('row' in item ? [item.row] : []));
  // Two batches with the same keys in different orders would wait for each other: everybody inserts in the order of the keys.
  // The sort is stable, so of two items with one key the first is created.
  const [unique] = aggregate.uniqueKeys;
  const sortKey = unique === undefined ? 'id' : unique.field;
  rows.sort((a, b) => compare(String(a[sortKey]), String(b[sortKey])));
  const stored = rows.length === 0 ? [] : await insertRows(tx, aggregate, rows);
  const entities = new Map(
    stored.map((row) => {
      const entity = aggregate.toEntity(row);
      return [entity.id, entity];
    }),
  );
  const outcomes: ItemOutcome[] = [];
  for (const item of planned) {
    if ('error' in item) {
      outcomes.push(item);
      continue;
    }
    const entity = entities.get(String(item.row['id']));
    if (entity === undefined) {
      outcomes.push({ error: uniqueConflict(aggregate, unique?.field ?? 'id') });
      continue;
    }
    await unit.emit(aggregate, 'C', entity);
    outcomes.push({ entity });
  }
  return outcomes;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
