import {
  dataOps,
  JsonTextError,
  parseAcceptedJson,
  recordHeader,
  withoutSchemaId,
  type DataOp,
  type EventType,
} from '@outbound/schemas';
import { ConsumerError } from '../errors.ts';
import type { ConsumedEvent, RecordPlace, ValueEvent } from './consumed-event.ts';
import { tolerantSchema } from './tolerant-schema.ts';

/** A record as it comes from Kafka, with text where text is meant. */
export interface InboundRecord extends RecordPlace {
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  /** False where the key is null; `key` is empty then. */
  readonly hasKey: boolean;
}

/**
 * What to do about an event whose schema has another major version than ours. `fail`: it is poison. `skip`: it is left out, and counted. `pass`: it is tried against
 * our schema all the same: what fits is handled, what does not is poison.
 */
export type UnknownVersionPolicy = 'fail' | 'skip' | 'pass';

/** What a record turned out to be. */
export type ParsedRecord<Type extends EventType> =
  | { readonly is: 'event'; readonly event: ConsumedEvent<Type> }
  /** An event of another type on the same topic, or of a version that is to be skipped. */
  | { readonly is: 'ignored'; readonly why: 'other-type' | 'unknown-version' }
  | { readonly is: 'invalid'; readonly error: ConsumerError };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a record as an event of this type. Never throws for what is in the record; no number loses a digit (`parseJson`). */
export function parseRecord<Type extends EventType>(
  record: InboundRecord,
  eventType: Type,
  unknownVersion: UnknownVersionPolicy = 'fail',
): ParsedRecord<Type> {
  const { value, headers } = record;
  const type = headers[recordHeader.type];
  if (type !== undefined && type !== eventType.name) return { is: 'ignored', why: 'other-type' };
  const place = {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestampMs: record.timestampMs,
    key: record.key,
    headers,
    isReplay: headers[recordHeader.replay] === 'true',
  };
  const eid = headers[recordHeader.id] ?? `${place.topic}/${place.partition}/${place.offset}`;
  if (value === null)
    return {
      is: 'event',
      event: {
        ...place,
        eid,
        version: versionOf(headers[recordHeader.dataVersion]),
        dataOp: 'D',
        value: undefined,
        data: undefined,
      },
    };
  let json: unknown;
  try {
    // Also where values name their schema in Confluent's wire format: JSON never begins with a zero byte.
    json = parseAcceptedJson(utf8.decode(withoutSchemaId(value).json));
  } catch (error) {
    const why =
      error instanceof JsonTextError ? `${error.code} ${error.message}` : 'is not UTF-8 text';
    return invalid('EVENT_INVALID', eventType, eid, `its value ${why}`);
  }
  const found = valueAt(json, 'metadata.version');
  if (typeof found === 'string' && major(found) !== major(eventType.version)) {
    if (unknownVersion === 'skip') return { is: 'ignored', why: 'unknown-version' };
    if (unknownVersion === 'fail')
      return invalid(
        'EVENT_VERSION_UNKNOWN',
        eventType,
        eid,
        `its schema version is ${shown(found)} and this consumer reads ${eventType.version}: deploy one that knows it, or declare unknownVersion`,
      );
  }
  const checked = tolerantSchema(eventType.value).safeParse(json);
  if (!checked.success) {
    // Paths and rules, never values: they may be personal.
    const faults = checked.error.issues
      .slice(0, 5)
      .map(({ path, code }) => `${path.join('.') || 'the value'} (${code})`);
    return invalid(
      'EVENT_INVALID',
      eventType,
      eid,
      `its value does not follow the declaration at ${faults.join(', ')}`,
    );
  }
  const parsed = checked.data as ValueEvent<Type>['value'];
  const writtenEid = valueAt(json, 'metadata.eid');
  const [orderingKey] = eventType.orderingKeyFields;
  return {
    is: 'event',
    event: {
      ...place,
      eid: typeof writtenEid === 'string' ? writtenEid : eid,
      version: versionOf(orderingKey === undefined ? undefined : valueAt(json, orderingKey)),
      dataOp: dataOpOf(valueAt(json, 'data_op') ?? headers[recordHeader.dataOp]),
      value: parsed,
      data: valueAt(parsed, 'data') as ValueEvent<Type>['data'],
    },
  };
}

function invalid<Code extends 'EVENT_INVALID' | 'EVENT_VERSION_UNKNOWN'>(
  code: Code,
  { name }: EventType,
  eid: string,
  why: string,
): { is: 'invalid'; error: ConsumerError } {
  return { is: 'invalid', error: new ConsumerError(code, `event ${eid} of type ${name}: ${why}`) };
}

/** A general event reports something new: a creation, as a consumer sees it. */
function dataOpOf(found: unknown): DataOp {
  return dataOps.find((each) => each === found) ?? 'C';
}

function versionOf(found: unknown): number | undefined {
  const version = typeof found === 'string' && found !== '' ? Number(found) : found;
  return typeof version === 'number' && Number.isSafeInteger(version) ? version : undefined;
}

function major(version: string): string {
  return version.split('.', 1)[0] ?? version;
}

/** Of a foreign text only what cannot be a payload. */
function shown(version: string): string {
  return /^[0-9A-Za-z.+-]{1,40}$/.test(version) ? version : 'not a version';
}

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
