/** Where the outbox is: never parsed from one text, so that a dot or a capital letter in a name does no harm. */
export interface OutboxTable {
  readonly schema: string;
  readonly name: string;
}

/** What the migrations create. */
export const defaultOutboxTable: OutboxTable = { schema: 'public', name: 'outbox' };

/**
 * The columns that the relay reads, found by name in every relation; others are ignored.
 * The names are those of Debezium's Outbox Event Router, so that it can read the table too.
 */
export const outboxColumns = [
  'id',
  'aggregatetype',
  'aggregateid',
  'type',
  'version',
  'data_op',
  'payload',
  'headers',
  'created_at',
] as const;

export type OutboxColumn = (typeof outboxColumns)[number];

/** OIDs of built-in types, fixed in `pg_type.dat`. */
export const typeOid = { text: 25, json: 114, timestamptz: 1184 } as const;

/**
 * What is wrong with a table's columns, in words, or undefined if the relay can read it. `payload` must be `json` or `text`, since
 * `jsonb` rewrites numbers and order and would break I5; `created_at` must carry its zone.
 */
export function outboxColumnFault(
  columns: readonly { readonly name: string; readonly typeOid: number }[],
): string | undefined {
  const typeOf = new Map(columns.map((column) => [column.name, column.typeOid]));
  const missing = outboxColumns.filter((name) => !typeOf.has(name));
  if (missing.length > 0) return `it has no column ${missing.join(', ')}`;
  const payloadType = typeOf.get('payload');
  if (payloadType !== typeOid.json && payloadType !== typeOid.text)
    return `its column payload is of type OID ${payloadType}; it must be json (${typeOid.json}) or text (${typeOid.text}), because jsonb and others change the bytes`;
  const createdAtType = typeOf.get('created_at');
  if (createdAtType !== typeOid.timestamptz)
    return `its column created_at is of type OID ${createdAtType}; it must be timestamptz (${typeOid.timestamptz})`;
  return undefined;
}
