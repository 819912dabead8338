import type { TestPipeline } from '../support/test-pipeline.ts';

/** One event as its transaction committed it: what every reader is measured against. */
export interface CommittedEvent {
  readonly eid: string;
  readonly key: string;
  readonly version: number;
  readonly dataOp: 'C' | 'U' | 'D' | 'S';
  /** The record's value on the change topic, byte for byte. */
  readonly payload: string;
}

/** The events of a type, from the outbox; each key's in the order of its versions. */
export async function committedEvents(
  { sql }: TestPipeline,
  eventType: string,
): Promise<CommittedEvent[]> {
  const { rows } = await sql.query<Omit<CommittedEvent, 'version'> & { version: string }>(
    `select id as eid, aggregateid as key, version, data_op as "dataOp", payload::text as payload from outbox where type = $1 order by aggregateid, version`,
    [eventType],
  );
  return rows.map((row) => ({ ...row, version: Number(row.version) }));
}

/** The items of each key, in their order. */
export function byKey<Item extends { readonly key: string }>(
  items: readonly Item[],
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(item.key, [...(groups.get(item.key) ?? []), item]);
  return groups;
}
