/** pgoutput messages for tests, written from the protocol's page and not from the decoder. */

const int8 = (n: number) => Buffer.from([n & 0xff]);
const int16 = (n: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(n);
  return bytes;
};
const uint32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const uint64 = (n: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(n);
  return bytes;
};
const cstring = (text: string) => Buffer.concat([Buffer.from(text), int8(0)]);
const tag = (letter: string) => Buffer.from(letter, 'latin1');

/** Microseconds since 2000-01-01 of a time in ms since 1970. */
const micros = (ms: number) => uint64(BigInt.asUintN(64, BigInt(ms - 946_684_800_000) * 1000n));

export function beginBytes(commitLsn: bigint, commitTimeMs: number, xid: number): Buffer {
  return Buffer.concat([tag('B'), uint64(commitLsn), micros(commitTimeMs), uint32(xid)]);
}

export function commitBytes(commitLsn: bigint, endLsn: bigint, commitTimeMs: number): Buffer {
  return Buffer.concat([
    tag('C'),
    int8(0),
    uint64(commitLsn),
    uint64(endLsn),
    micros(commitTimeMs),
  ]);
}

export interface ColumnToWrite {
  readonly name: string;
  readonly typeOid: number;
}

export function relationBytes(
  relationId: number,
  schema: string,
  name: string,
  columns: readonly ColumnToWrite[],
): Buffer {
  return Buffer.concat([
    tag('R'),
    uint32(relationId),
    cstring(schema),
    cstring(name),
    tag('d'),
    int16(columns.length),
    ...columns.map((column) =>
      Buffer.concat([int8(0), cstring(column.name), uint32(column.typeOid), uint32(0xffffffff)]),
    ),
  ]);
}

/** A value of null is NULL; bytes are written as they are. */
export function insertBytes(
  relationId: number,
  values: readonly (string | Buffer | null)[],
): Buffer {
  return Buffer.concat([
    tag('I'),
    uint32(relationId),
    tag('N'),
    int16(values.length),
    ...values.map((value) => {
      if (value === null) return tag('n');
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      return Buffer.concat([tag('t'), uint32(bytes.length), bytes]);
    }),
  ]);
}

/** The outbox as the migrations make it. */
export const outboxRelationColumns: readonly ColumnToWrite[] = [
  { name: 'id', typeOid: 2950 },
  { name: 'aggregatetype', typeOid: 25 },
  { name: 'aggregateid', typeOid: 25 },
  { name: 'type', typeOid: 25 },
  { name: 'version', typeOid: 20 },
  { name: 'data_op', typeOid: 1042 },
  { name: 'payload', typeOid: 114 },
  { name: 'headers', typeOid: 114 },
  { name: 'created_at', typeOid: 1184 },
];

/** One row of it, in that order; `over` changes single columns. */
export function outboxRow(
  over: Readonly<Record<string, string | Buffer | null>> = {},
): (string | Buffer | null)[] {
  const row: Record<string, string | Buffer | null> = {
    id: '018f2f6e-0000-7000-8000-000000000001',
    aggregatetype: 'catalog.product',
    aggregateid: 'p-1',
    type: 'catalog.product-change',
    version: '7',
    data_op: 'U',
    payload: '{"n":12345678901234567890}',
    headers: '{}',
    created_at: '2026-03-01 12:34:56.123456+00',
    ...over,
  };
  return outboxRelationColumns.map(({ name }) => row[name] ?? null);
}
