import type { Aggregate } from '../aggregate.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { keysOfItem, targetKey, type BulkItem } from './bulk-item.ts';
import { keyText } from './chunk-plan.ts';
import { statementsOf } from './entity-statements.ts';

/** Holders of keys, `keyText` to id. */
export type Holders = ReadonlyMap<string, string>;

/**
 * Locks what items name, in the order of ids, before anything is written.
 * @returns the size of each by id, and who has the keys.
 */
export async function lockTargets(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
): Promise<{ readonly holders: Holders; readonly sizes: ReadonlyMap<string, number> }> {
  const holders = await findHolders(unit, aggregate, items);
  const ids = targetIds(aggregate, items, holders);
  if (ids.size === 0) return { holders, sizes: new Map() };
  const { rows } = await unit.query(statementsOf(aggregate.table).lock(ids));
  const sizes = new Map(rows.map(({ id, bytes }) => [String(id), Number(bytes)]));
  return { holders, sizes };
}

/** Who has the keys that the items are about. */
export async function findHolders(
  unit: UnitOfWork,
  aggregate: Aggregate,
  items: readonly BulkItem[],
): Promise<Holders> {
  const byField = new Map<string, Set<string>>();
  for (const { field, value } of items.flatMap((item) => keysOfItem(aggregate, item)))
    byField.set(field, (byField.get(field) ?? new Set()).add(value));
  const holders = new Map<string, string>();
  for (const [field, values] of byField) {
    const { rows } = await unit.query(statementsOf(aggregate.table).holders(field, values));
    for (const { id, value } of rows)
      holders.set(keyText({ field, value: String(value) }), String(id));
  }
  return holders;
}

/** The id that an item names, if there is one. */
export function targetId(
  aggregate: Aggregate,
  item: BulkItem,
  holders: Holders,
): string | undefined {
  if ('error' in item || item.op === 'create') return undefined;
  if ('id' in item.target) return item.target.id;
  const key = targetKey(aggregate, item);
  return key === undefined ? undefined : holders.get(keyText(key));
}

export function targetIds(
  aggregate: Aggregate,
  items: readonly BulkItem[],
  holders: Holders,
): ReadonlySet<string> {
  return new Set(items.flatMap((item) => targetId(aggregate, item, holders) ?? []));
}
