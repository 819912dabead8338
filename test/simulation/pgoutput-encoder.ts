import type { ServerMessage } from './wal-sender.ts';
import { outboxColumns, typeOid } from '../../services/relay/src/wal/outbox-table.ts';
import { postgresEpochMs } from '../../services/relay/src/wal/pgoutput.ts';
import type { LoggedTransaction, OutboxRow } from './wal-log.ts';

const outboxOid = 0x8000_4001;
const foreignOid = 16_999;
const uuidOid = 2950;
const int8Oid = 20;

const columnOids: Readonly<Record<string, number>> = {
  id: uuidOid,
  version: int8Oid,
  payload: typeOid.json,
  headers: typeOid.json,
  created_at: typeOid.timestamptz,
};

/**
 * Writes pgoutput messages (protocol 1, text) into one buffer that is used for every message, as the driver's is. Each method gives a
 * view; `poison` overwrites what the last view showed, so that nobody can keep it unnoticed.
 */
export class PgoutputEncoder {
  #bytes = Buffer.alloc(64 * 1024);
  #at = 0;

  /** A message of a simulated server as bytes. */
  encoded(message: Exclude<ServerMessage, { kind: 'keepalive' }>): Buffer {
    switch (message.kind) {
      case 'begin':
        return this.begin(message.transaction);
      case 'commit':
        return this.commit(message.transaction);
      case 'row':
        return this.outboxRow(message.row);
      case 'outbox-relation':
        return this.outboxRelation();
      case 'foreign-relation':
        return this.foreignRelation();
      case 'foreign-row':
        return this.foreignRow();
    }
  }

  begin(transaction: LoggedTransaction): Buffer {
    this.#start('B', 21);
    this.#lsn(transaction.commitLsn);
    this.#time(transaction.commitTimeMs);
    this.#int32(transaction.xid);
    return this.#view();
  }

  commit(transaction: LoggedTransaction): Buffer {
    this.#start('C', 26);
    this.#int8(0);
    this.#lsn(transaction.commitLsn);
    this.#lsn(transaction.commitEndLsn);
    this.#time(transaction.commitTimeMs);
    return this.#view();
  }

  outboxRelation(): Buffer {
    return this.#relation(outboxOid, 'outbox', outboxColumns);
  }

  foreignRelation(): Buffer {
    return this.#relation(foreignOid, 'stock', ['id', 'note']);
  }

  foreignRow(): Buffer {
    return this.#row(foreignOid, [Buffer.from('1'), null]);
  }

  outboxRow(row: OutboxRow): Buffer {
    const values: Readonly<Record<(typeof outboxColumns)[number], string | Buffer>> = {
      id: row.eid,
      aggregatetype: row.aggregateType,
      aggregateid: row.aggregateId,
      type: row.type,
      version: String(row.version),
      data_op: row.dataOp,
      payload: row.payload,
      headers: row.headers,
      created_at: row.createdAt,
    };
    return this.#row(
      outboxOid,
      outboxColumns.map((name) => Buffer.from(values[name])),
    );
  }

  poison(): void {
    this.#bytes.fill(0x3f, 0, this.#at);
  }

  #relation(oid: number, name: string, columns: readonly string[]): Buffer {
    this.#start('R', 64 + columns.length * 80);
    this.#int32(oid);
    this.#text('public');
    this.#text(name);
    this.#int8(0x64);
    this.#int16(columns.length);
    for (const column of columns) {
      this.#int8(0);
      this.#text(column);
      this.#int32(columnOids[column] ?? typeOid.text);
      this.#int32(0xffff_ffff);
    }
    return this.#view();
  }

  #row(oid: number, values: readonly (Buffer | null)[]): Buffer {
    this.#start('I', 8 + values.reduce((sum, value) => sum + 5 + (value?.length ?? 0), 0));
    this.#int32(oid);
    this.#int8(0x4e);
    this.#int16(values.length);
    for (const value of values) {
      if (value === null) {
        this.#int8(0x6e);
        continue;
      }
      this.#int8(0x74);
      this.#int32(value.length);
      value.copy(this.#bytes, this.#at);
      this.#at += value.length;
    }
    return this.#view();
  }

  #start(kind: string, room: number): void {
    if (this.#bytes.length < room) this.#bytes = Buffer.alloc(room * 2);
    this.#at = 0;
    this.#int8(kind.charCodeAt(0));
  }

  #view(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #int8(value: number): void {
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  #int16(value: number): void {
    this.#at = this.#bytes.writeUInt16BE(value, this.#at);
  }

  #int32(value: number): void {
    this.#at = this.#bytes.writeUInt32BE(value, this.#at);
  }

  #lsn(value: bigint): void {
    this.#at = this.#bytes.writeBigUInt64BE(value, this.#at);
  }

  #time(ms: number): void {
    this.#at = this.#bytes.writeBigInt64BE(
      BigInt(Math.floor(ms - postgresEpochMs)) * 1000n,
      this.#at,
    );
  }

  #text(value: string): void {
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
    this.#int8(0);
  }
}
