import type { DataOp } from '@outbound/contract';
import { RelayError } from '../errors.ts';
import {
  outboxColumnFault,
  outboxColumns,
  typeOid,
  type OutboxColumn,
} from '../wal/outbox-table.ts';
import type { RelationMessage } from '../wal/pgoutput.ts';
import type { SourcePosition } from '../wal/source-position.ts';
import type { Tuple } from '../wal/tuple.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { RawEvent } from './raw-event.ts';

/** Where each column of the outbox stands in a row. Made anew for each Relation message: DDL may have moved them. */
export interface OutboxColumnPlan {
  readonly index: Readonly<Record<OutboxColumn, number>>;
  /** True if Postgres has not checked the payload: its column is text, not json. */
  readonly mustCheckPayload: boolean;
}

/**
 * Finds the columns by name; additional ones are ignored.
 * @throws RelayError SOURCE_OUTBOX_MISSING naming the column that is missing or of a type that would change the bytes.
 */
export function planOutboxColumns(relation: RelationMessage): OutboxColumnPlan {
  const fault = outboxColumnFault(relation.columns);
  if (fault !== undefined)
    throw new RelayError(
      'SOURCE_OUTBOX_MISSING',
      `the table "${relation.schema}"."${relation.name}" in the log is not an outbox that can be read: ${fault}`,
    );
  const place = new Map(relation.columns.map((column, index) => [column.name, index]));
  const index = Object.fromEntries(
    outboxColumns.map((name) => [name, place.get(name) ?? -1]),
  ) as Record<OutboxColumn, number>;
  const payloadType = relation.columns[index.payload]?.typeOid;
  return { index, mustCheckPayload: payloadType !== typeOid.json };
}

/** Rows of the outbox → events, with the column plan of the relation that was announced last. */
export class OutboxDecoder {
  #plan: OutboxColumnPlan | undefined;

  /** @throws RelayError SOURCE_OUTBOX_MISSING */
  useRelation(relation: RelationMessage): void {
    this.#plan = planOutboxColumns(relation);
  }

  /** @throws RelayError EVENT_MALFORMED; INVARIANT_BROKEN if no relation was announced. */
  decode(tuple: Tuple, position: SourcePosition, commitTimeMs: number): OutboxEvent {
    if (!this.#plan)
      throw new RelayError('INVARIANT_BROKEN', 'an outbox row came before its relation');
    return decodeOutboxEvent(this.#plan, tuple, position, commitTimeMs);
  }

  /** What can be read of a row that is no event: undefined without an id and an aggregate, since then nobody knows what may not overtake it. */
  salvage(tuple: Tuple, position: SourcePosition, commitTimeMs: number): RawEvent | undefined {
    if (!this.#plan) return undefined;
    const { index } = this.#plan;
    const text = (column: OutboxColumn): string => tuple.text(index[column]) ?? '';
    const eid = text('id');
    const aggregateType = text('aggregatetype');
    const aggregateId = text('aggregateid');
    if (eid === '' || aggregateType === '' || aggregateId === '') return undefined;
    return {
      eid,
      aggregateType,
      aggregateId,
      position,
      commitTimeMs,
      type: text('type'),
      version: text('version'),
      dataOp: text('data_op'),
      payload: tuple.copyBytes(index.payload) ?? null,
      headers: text('headers'),
    };
  }
}

/**
 * One row → one event that is safe to keep. The payload's bytes are copied once, verbatim (I5); each text is decoded once.
 * @throws RelayError EVENT_MALFORMED with the event's id and the column, never the value.
 */
export function decodeOutboxEvent(
  plan: OutboxColumnPlan,
  tuple: Tuple,
  position: SourcePosition,
  commitTimeMs: number,
): OutboxEvent {
  const { index } = plan;
  const eid = tuple.text(index.id);
  const needText = (column: OutboxColumn): string => {
    const text = tuple.text(index[column]);
    if (text === undefined) throw malformed(eid, column, 'is NULL');
    if (text === '') throw malformed(eid, column, 'is empty');
    return text;
  };
  if (!eid) throw malformed(eid, 'id', eid === '' ? 'is empty' : 'is NULL');
  const payload = tuple.copyBytes(index.payload);
  if (payload === undefined) throw malformed(eid, 'payload', 'is NULL');
  if (plan.mustCheckPayload && !isJson(payload))
    throw malformed(
      eid,
      'payload',
      'is not JSON (the column is text, so Postgres does not check it)',
    );
  return {
    eid,
    aggregateType: needText('aggregatetype'),
    aggregateId: needText('aggregateid'),
    type: needText('type'),
    version: toVersion(eid, needText('version')),
    dataOp: toDataOp(eid, needText('data_op')),
    payload,
    headers: toHeaders(eid, needText('headers')),
    createdAt: toRfc3339(eid, needText('created_at')),
    position,
    commitTimeMs,
  };
}

function toVersion(eid: string, text: string): string {
  if (!/^[0-9]{1,19}$/.test(text)) throw malformed(eid, 'version', 'is not a whole number');
  return text;
}

function toDataOp(eid: string, text: string): DataOp {
  if (text === 'C' || text === 'U' || text === 'D' || text === 'S') return text;
  throw malformed(eid, 'data_op', 'is none of C, U, D, S');
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

function toHeaders(eid: string, text: string): Readonly<Record<string, string>> {
  if (text === '{}') return noHeaders;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(eid, 'headers', 'is not JSON');
  }
  if (!isRecord(value)) throw malformed(eid, 'headers', 'is not a JSON object');
  for (const name in value)
    if (typeof value[name] !== 'string')
      throw malformed(eid, 'headers', `has a value that is not a string`);
  return value as Record<string, string>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `2026-03-01 12:34:56.123456+00` → `2026-03-01T12:34:56.123456Z`. The source's session prints ISO and UTC: anything else is refused, not guessed. */
function toRfc3339(eid: string, text: string): string {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(text))
    throw malformed(eid, 'created_at', 'is not a time in UTC of the years 0001 to 9999');
  return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

function malformed(eid: string | undefined, column: OutboxColumn, why: string): RelayError {
  return new RelayError(
    'EVENT_MALFORMED',
    `outbox row ${eid ? `with id ${eid}` : 'without an id'}: column ${column} ${why}`,
    { eid },
  );
}
