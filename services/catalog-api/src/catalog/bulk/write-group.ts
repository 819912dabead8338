import type { Aggregate } from '../aggregate.ts';
import { uniqueConflict } from '../database-errors.ts';
import type { EntityRow } from '../entity-rows.ts';
import { toOutboxRow, type UnitOfWork } from '../unit-of-work.ts';
import { targetKey, uniqueKeysOf, type BulkItem, type ItemOutcome } from './bulk-item.ts';
import { ChunkPlan, keyText, type PlannedWrite, type Standing } from './chunk-plan.ts';
import { statementsOf } from './entity-statements.ts';
import { targetIds, type Holders } from './lock-targets.ts';

/** Somebody else has changed, between our look and our write, what was not there to be locked. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile';
}

/** New entities under new ids: nothing has to be looked at, since a key that is taken shows when they are inserted. */
export async function createGroup(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
): Promise<readonly ItemOutcome[]> {
  const { plan, outcomes } = planGroup(unit, aggregate, items, {
    rows: new Map(),
    holders: new Map(),
  });
  const inserted = await insert(unit, aggregate, plan.writes);
  const [key] = aggregate.uniqueKeys;
  await unit.emitRows(
    aggregate,
    plan.writes.filter(({ row }) => inserted.has(row.id)).map(({ event }) => event),
  );
  return outcomes.map((outcome) =>
    'error' in outcome || inserted.has(outcome.entity.id)
      ? outcome
      : { error: uniqueConflict(aggregate, key?.field ?? 'id') },
  );
}

/**
 * Does items whose entities are locked.
 * @param holders of all keys that the items are about, as they were seen last.
 * @throws ChangedMeanwhile; the transaction has to be rolled back.
 */
export async function writeGroup(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
  holders: Holders,
): Promise<readonly ItemOutcome[]> {
  const statements = statementsOf(aggregate.table);
  const ids = targetIds(aggregate, items, holders);
  const rows = new Map<string, EntityRow>();
  if (ids.size > 0)
    for (const raw of (await unit.query(statements.read(ids))).rows) {
      const row = statements.decode(raw);
      rows.set(row.id, row);
    }
  const { plan, outcomes } = planGroup(unit, aggregate, items, {
    rows,
    holders: holdersUnderLock(aggregate, items, rows, holders),
  });
  const { writes } = plan;
  const waves = Math.max(...writes.map(({ wave }) => wave), -1);
  for (let wave = 0; wave <= waves; wave += 1) {
    const now = writes.filter((write) => write.wave === wave);
    const news = now.filter(({ isNew }) => isNew);
    const changes = now.filter(({ isNew }) => !isNew).map(({ row }) => row);
    if (news.length > 0) {
      const inserted = await insert(unit, aggregate, news);
      if (inserted.size < news.length) throw new ChangedMeanwhile();
    }
    if (changes.length > 0) {
      const { rowCount } = await unit.query(statements.update(changes));
      if (rowCount !== changes.length)
        throw new Error(`${changes.length - rowCount} locked rows of ${aggregate.plural} are gone`);
    }
  }
  await unit.emitRows(
    aggregate,
    writes.map(({ event }) => event),
  );
  return outcomes;
}

/**
 * Who has the keys now that the rows are locked: what was seen of a row before it was locked may be old.
 * @throws ChangedMeanwhile if an item names an entity by a key which that one no longer has.
 */
function holdersUnderLock(
  aggregate: Aggregate,
  items: readonly BulkItem[],
  rows: ReadonlyMap<string, EntityRow>,
  seen: Holders,
): Holders {
  const holders = new Map([...seen].filter(([, id]) => !rows.has(id)));
  for (const row of rows.values())
    if (row.deletedAt === null)
      for (const key of uniqueKeysOf(aggregate, row)) holders.set(keyText(key), row.id);
  for (const item of items) {
    const key = targetKey(aggregate, item);
    if (key === undefined) continue;
    const text = keyText(key);
    if (seen.get(text) !== holders.get(text)) throw new ChangedMeanwhile();
  }
  return holders;
}

function planGroup(
  { context }: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
  standing: Standing,
): { readonly plan: ChunkPlan; readonly outcomes: readonly ItemOutcome[] } {
  const plan = new ChunkPlan(aggregate, standing, {
    now: context.now(),
    newId: context.newId,
    eventOf: ({ dataOp, entity }) => toOutboxRow(context, aggregate, dataOp, entity),
  });
  return { plan, outcomes: items.map((item) => plan.add(item)) };
}

/** In the order of their keys: two who insert the same ones in different orders would wait for each other. @returns ids of those that collide with nothing. */
async function insert(
  unit: UnitOfWork,
  aggregate: Aggregate,
  writes: readonly PlannedWrite[],
): Promise<ReadonlySet<string>> {
  if (writes.length === 0) return new Set();
  const keyed = writes.map(({ row }) => ({
    row,
    key: uniqueKeysOf(aggregate, row)[0]?.value ?? row.id,
  }));
  keyed.sort((a, b) => compare(a.key, b.key));
  const { rows } = await unit.query(
    statementsOf(aggregate.table).insert(keyed.map(({ row }) => row)),
  );
  return new Set(rows.map(({ id }) => String(id)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
