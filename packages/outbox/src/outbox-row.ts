import { storedForm, stringifyJson, type DataOp, type EventType } from '@outbound/contract';
import { maxEventBytes } from './tables/outbox.ts';
import { PipelineError } from '@outbound/service-kit';
import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { arrayText } from './array-text.ts';
import type { Statement } from './query.ts';

/** What an event says, beside what its type declares. */
export interface EventToEmit {
  /** Becomes the record key. */
  readonly aggregateId: string;
  /** The entity's version after the change, counted under its row lock. */
  readonly version: number;
  readonly dataOp: DataOp;
  /** The full entity, as REST shows it (Zalando rules 202, 205). */
  readonly data: unknown;
  /** What `stringifyJson` makes of `data`, where that is there already: it becomes the event's bytes as it stands (I5). */
  readonly dataText?: string;
  /**
   * Where `data` comes from, which says what it has to follow. `input`: what a caller just sent, by every rule of the declaration. `stored`: a row, which was taken
   * under the rules of its day; its shape and types are checked, and no list or limit (`storedForm`). Defaults to `input` for C and U, and to `stored` for D and S, which repeat
   * what is there: nobody could delete what they refused. Say `stored` for a U whose input was checked by itself.
   */
  readonly origin?: 'input' | 'stored';
  /** `X-Flow-ID` of the request. */
  readonly flowId?: string;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
  /** Defaults to now. */
  readonly occurredAt?: Date;
}

/** A row of the outbox, ready to insert. `created_at` is the database's to say: it is the beginning of the transaction. */
export interface OutboxRow {
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly version: number;
  readonly dataOp: DataOp;
  /** JSON text. */
  readonly payload: string;
  /** JSON text. */
  readonly headers: string;
}

/**
 * The outbox row of an event: a new event id, the value as its declared schema wants it of this origin, and its exact bytes.
 * @throws PipelineError EVENT_INVALID if the value does not follow the declaration, or if what it declares as its ordering key (Zalando rule
 * 242) says another entity or version than the event; EVENT_TOO_LARGE if it is longer than 900 KiB,
 * found before anything is written, so that nothing commits that could never be published.
 */
export function outboxRow(eventType: EventType, event: EventToEmit): OutboxRow {
  const {
    aggregateId,
    version,
    dataOp,
    data,
    dataText,
    flowId,
    traceparent,
    occurredAt = new Date(),
    origin = dataOp === 'D' || dataOp === 'S' ? 'stored' : 'input',
  } = event;
  const id = uuidv7();
  const envelope = {
    metadata: {
      eid: id,
      event_type: eventType.name,
      occurred_at: occurredAt.toISOString(),
      version: eventType.version,
      ...(flowId === undefined ? {} : { flow_id: flowId }),
    },
    data_op: dataOp,
    data_type: eventType.dataType,
  };
  const value = { ...envelope, data };
  refuseUnpublishable(eventType, event);
  const form = origin === 'stored' ? storedForm(eventType.value) : eventType.value;
  const checked = form.safeParse(value);
  if (!checked.success) {
    // Paths and rules, never values: they may be personal.
    const faults = checked.error.issues.map(({ path, code }) => `${path.join('.')} (${code})`);
    throw new PipelineError(
      'EVENT_INVALID',
      `event type ${eventType.name}: the value of ${aggregateId} does not follow its declaration at ${faults.join(', ')}`,
    );
  }
  const contradiction = [
    ...eventType.orderingKeyFields.map((path) => ({ path, expected: version })),
    ...eventType.orderingInstanceIds.map((path) => ({ path, expected: aggregateId })),
  ].find(({ path, expected }) => {
    const found = valueAt(value, path);
    return found !== undefined && found !== expected;
  });
  if (contradiction !== undefined)
    throw new PipelineError(
      'EVENT_INVALID',
      `event type ${eventType.name}: ${contradiction.path} in the value of ${aggregateId} is not the ${contradiction.expected} that it is emitted with: consumers order by the one and the outbox by the other`,
    );
  // The envelope is an object with members, so its text ends with the brace that `data` goes before.
  const payload =
    dataText === undefined
      ? stringifyJson(value)
      : `${stringifyJson(envelope).slice(0, -1)},"data":${dataText}}`;
  const bytes = Buffer.byteLength(payload);
  if (bytes > maxEventBytes)
    throw new PipelineError(
      'EVENT_TOO_LARGE',
      `the event of ${aggregateId} takes ${bytes} bytes, and ${maxEventBytes} is the most that can be published: make the entity smaller`,
    );
  return {
    id,
    aggregateType: eventType.dataType,
    aggregateId,
    type: eventType.name,
    version,
    dataOp,
    payload,
    headers: JSON.stringify({
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(flowId === undefined ? {} : { flow_id: flowId }),
    }),
  };
}

/** Longest key, in bytes; the table's own check. */
const maxAggregateIdBytes = 255;
/** Longest headers, as JSON in bytes; the table's own check. */
const maxHeadersBytes = 8192;

/** What the table would refuse with a constraint's name only; also what comes from JavaScript, whose types nobody checked. */
function refuseUnpublishable({ name }: EventType, event: EventToEmit): void {
  const refuse = (why: string): never => {
    throw new PipelineError('EVENT_INVALID', `event type ${name}: ${why}`);
  };
  const { aggregateId } = event;
  if (typeof aggregateId !== 'string' || aggregateId === '' || aggregateId.includes('\0'))
    return refuse(
      'its aggregateId must be text, not empty and without a zero byte: it becomes the record key',
    );
  const bytes = Buffer.byteLength(aggregateId);
  if (bytes > maxAggregateIdBytes)
    refuse(`its aggregateId has ${bytes} bytes, and ${maxAggregateIdBytes} is the most`);
  if (!Number.isSafeInteger(event.version) || event.version < 1)
    refuse(`version ${event.version} of ${aggregateId} is not a whole number from 1`);
  let headersBytes = 0;
  for (const field of ['traceparent', 'flowId'] as const) {
    const value: unknown = event[field];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value.includes('\0'))
      return refuse(`${field} of ${aggregateId} must be text without a zero byte, or left out`);
    headersBytes += Buffer.byteLength(JSON.stringify(value));
  }
  // Names and punctuation of both take less than 64.
  if (headersBytes > maxHeadersBytes - 64)
    refuse(
      `traceparent and flowId of ${aggregateId} take ${headersBytes} bytes as JSON, and ${maxHeadersBytes - 64} is the most`,
    );
}

/** What is at a path such as `data.version`; undefined where nothing is. */
function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (at, key) =>
        typeof at === 'object' && at !== null && Object.hasOwn(at, key)
          ? (at as Record<string, unknown>)[key]
          : undefined,
      value,
    );
}

/** The columns of an `OutboxRow`, each with its name and type in the table. Not all of the table's: the API may not name `created_at`. */
export const outboxColumns: Readonly<
  Record<keyof OutboxRow, { readonly name: string; readonly type: string }>
> = {
  id: { name: 'id', type: 'uuid' },
  aggregateType: { name: 'aggregatetype', type: 'text' },
  aggregateId: { name: 'aggregateid', type: 'text' },
  type: { name: 'type', type: 'text' },
  version: { name: 'version', type: 'bigint' },
  dataOp: { name: 'data_op', type: 'char(1)' },
  payload: { name: 'payload', type: 'json' },
  headers: { name: 'headers', type: 'json' },
};

const columnNames = sql.join(
  Object.values(outboxColumns).map(({ name }) => sql.identifier(name)),
  sql`, `,
);

/** The statement that stores it. */
export function insertOutboxRow(row: OutboxRow): SQL {
  const values = (Object.keys(outboxColumns) as (keyof OutboxRow)[]).map(
    (field) => sql`${row[field]}`,
  );
  return sql`insert into outbox (${columnNames}) values (${sql.join(values, sql`, `)})`;
}

/** The statement that stores several, in one round trip: they reach the log in this order, so several events of one entity stand in the order of their versions. */
export function insertOutboxRows(rows: readonly OutboxRow[]): Statement {
  const column = (of: (row: OutboxRow) => string): string => arrayText(rows.map(of));
  return {
    name: 'insert_outbox_rows',
    text: `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
      select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::char[], $7::json[], $8::json[])`,
    values: [
      column(({ id }) => id),
      column(({ aggregateType }) => aggregateType),
      column(({ aggregateId }) => aggregateId),
      column(({ type }) => type),
      column(({ version }) => String(version)),
      column(({ dataOp }) => dataOp),
      column(({ payload }) => payload),
      column(({ headers }) => headers),
    ],
  };
}
