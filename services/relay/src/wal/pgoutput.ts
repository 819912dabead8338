import { RelayError } from '../errors.ts';
import { lsnFromBytes, type Lsn } from './lsn.ts';
import { hex, truncated, type Tuple } from './tuple.ts';

/**
 * Decoder of pgoutput, protocol version 1 in text mode: only committed transactions, whole, in commit order.
 * Pure; it reads a view of the message's bytes and keeps nothing of it. What does not follow the layout is a RelayError
 * DECODE_PROTOCOL with the byte and the place: nothing is guessed, nothing is skipped.
 * Source: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */

/** What a message is. Those that the outbox has no use for are told apart and not decoded. */
export type PgoutputKind =
  | 'begin'
  | 'commit'
  | 'relation'
  | 'insert'
  | 'origin'
  | 'type'
  | 'update'
  | 'delete'
  | 'truncate'
  | 'message';

/** Start of a transaction. */
export interface BeginMessage {
  /** Start of the commit record (`final_lsn`). */
  readonly commitLsn: Lsn;
  /** Commit time in ms since 1970, by the server's clock. */
  readonly commitTimeMs: number;
  readonly xid: number;
}

/** End of a transaction. */
export interface CommitMessage {
  readonly commitLsn: Lsn;
  /** First byte after the commit record: what to acknowledge, exactly. */
  readonly commitEndLsn: Lsn;
  readonly commitTimeMs: number;
}

/** One column of a relation; its value's place in a row is its place here. */
export interface RelationColumn {
  readonly name: string;
  /** OID of its type in `pg_type`. */
  readonly typeOid: number;
}

/** A table as it was when the rows that follow were written. Sent again whenever it may have changed: never compare by id only. */
export interface RelationMessage {
  readonly relationId: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly RelationColumn[];
}

/**
 * The kind of a message.
 * @throws RelayError DECODE_PROTOCOL for an empty message or another kind: streaming and two-phase kinds too, since they are never asked for.
 */
export function messageKind(bytes: Buffer): PgoutputKind {
  switch (bytes[0]) {
    case 0x49: // I
      return 'insert';
    case 0x42: // B
      return 'begin';
    case 0x43: // C
      return 'commit';
    case 0x52: // R
      return 'relation';
    case 0x4f: // O
      return 'origin';
    case 0x59: // Y
      return 'type';
    case 0x55: // U
      return 'update';
    case 0x44: // D
      return 'delete';
    case 0x54: // T
      return 'truncate';
    case 0x4d: // M
      return 'message';
    case undefined:
      throw new RelayError('DECODE_PROTOCOL', 'a message of no bytes');
    default:
      throw new RelayError(
        'DECODE_PROTOCOL',
        `a message of unknown kind ${hex(bytes[0])}, ${bytes.length} bytes long; expected one of B C R I O Y U D T M (pgoutput protocol 1)`,
      );
  }
}

/**
 * **Layout**: `B`, Int64 LSN of the commit record, Int64 commit time, Int32 xid.
 * @throws RelayError DECODE_PROTOCOL
 */
export function decodeBegin(bytes: Buffer): BeginMessage {
  expectLength(bytes, 21);
  return {
    commitLsn: lsnFromBytes(bytes, 1),
    commitTimeMs: timeMs(bytes, 9),
    // Unsigned: past 2^31 a signed read would make it negative.
    xid: bytes.readUInt32BE(17),
  };
}

/**
 * **Layout**: `C`, Int8 flags, Int64 LSN of the commit record, Int64 LSN after it, Int64 commit time.
 * @throws RelayError DECODE_PROTOCOL
 */
export function decodeCommit(bytes: Buffer): CommitMessage {
  expectLength(bytes, 26);
  return {
    commitLsn: lsnFromBytes(bytes, 2),
    commitEndLsn: lsnFromBytes(bytes, 10),
    commitTimeMs: timeMs(bytes, 18),
  };
}

/**
 * **Layout**: `R`, Int32 OID, String schema, String name, Int8 replica identity, Int16 number of columns, then for each
 * Int8 flags, String name, Int32 type OID, Int32 type modifier. A String ends with a zero byte; an empty schema means `pg_catalog`.
 * @throws RelayError DECODE_PROTOCOL
 */
export function decodeRelation(bytes: Buffer): RelationMessage {
  let at = 1;
  const take = (count: number, what: string): number => {
    if (at + count > bytes.length) throw truncated(bytes, at, what);
    at += count;
    return at - count;
  };
  const takeString = (what: string): string => {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw truncated(bytes, at, `the end of ${what}`);
    const text = bytes.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  const relationId = bytes.readUInt32BE(take(4, 'the OID'));
  const schema = takeString('the schema') || 'pg_catalog';
  const name = takeString('the name');
  take(1, 'the replica identity');
  const count = bytes.readInt16BE(take(2, 'the number of columns'));
  if (count < 0)
    throw new RelayError('DECODE_PROTOCOL', `relation "${name}" with ${count} columns`);
  const columns: RelationColumn[] = [];
  for (let column = 0; column < count; column++) {
    take(1, `the flags of column ${column}`);
    const columnName = takeString(`the name of column ${column}`);
    const typeOid = bytes.readUInt32BE(take(4, `the type of column ${column}`));
    take(4, `the type modifier of column ${column}`);
    columns.push({ name: columnName, typeOid });
  }
  expectEnd(bytes, at);
  return { relationId, schema, name, columns };
}

/**
 * The relation that an insert is for, without looking at its row.
 * **Layout**: `I`, Int32 OID of the relation, `N`, TupleData.
 * @throws RelayError DECODE_PROTOCOL
 */
export function insertRelationId(bytes: Buffer): number {
  if (bytes.length < 6) throw truncated(bytes, bytes.length, 'the new row');
  if (bytes[5] !== 0x4e /* N */)
    throw new RelayError(
      'DECODE_PROTOCOL',
      `an insert has ${hex(bytes[5] ?? 0)} at byte 5, where "N" (the new row) belongs`,
    );
  return bytes.readUInt32BE(1);
}

/**
 * Points `tuple` at the row of an insert; call `insertRelationId` first.
 * @throws RelayError DECODE_PROTOCOL
 */
export function readInsertedRow(bytes: Buffer, tuple: Tuple): void {
  expectEnd(bytes, tuple.read(bytes, 6));
}

/** Milliseconds between 1970-01-01 and 2000-01-01, where Postgres' clock begins. */
export const postgresEpochMs = 946_684_800_000;

/** Postgres' Int64 of microseconds since 2000, as ms since 1970: well inside what a number holds exactly. */
function timeMs(bytes: Buffer, offset: number): number {
  return Math.floor(Number(bytes.readBigInt64BE(offset)) / 1000) + postgresEpochMs;
}

function expectLength(bytes: Buffer, length: number): void {
  if (bytes.length < length) throw truncated(bytes, bytes.length, `byte ${length}`);
  expectEnd(bytes, length);
}

function expectEnd(bytes: Buffer, end: number): void {
  if (end !== bytes.length)
    throw new RelayError(
      'DECODE_PROTOCOL',
      `a message of kind ${hex(bytes[0] ?? 0)} should end at byte ${end} but has ${bytes.length}`,
    );
}
