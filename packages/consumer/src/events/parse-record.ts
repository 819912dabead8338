import { isUtf8 } from 'node:buffer';
import { keyText, type KafkaRecord } from '@outbound/kafka';
import {
  dataOps,
  JsonTextError,
  parseAcceptedJson,
  recordHeader,
  withoutSchemaId,
  type DataOp,
  type EventType,
  type JsonValue,
} from '@outbound/contract';
import { ConsumerError } from '../errors.ts';
import type { ConsumedEvent, ValueEvent } from './consumed-event.ts';
import { recordEid } from './place-id.ts';
import { readValue } from './read-value.ts';

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

/** Reads a record as an event of this type. Never throws for what is in the record; no number loses a digit (`parseJson`). */
export function parseRecord<Type extends EventType>(
  record: KafkaRecord,
  eventType: Type,
  unknownVersion: UnknownVersionPolicy = 'fail',
): ParsedRecord<Type> {
  const { topic, partition, offset, timestampMs, key, value, headers } = record;
  const type = headers[recordHeader.type];
  if (type !== undefined && type !== eventType.name) return { is: 'ignored', why: 'other-type' };
  const eid = recordEid(record);
  if (value === null)
    return {
      is: 'event',
      event: {
        topic,
        partition,
        offset,
        timestampMs,
        key: key === null ? '' : keyText(key),
        headers,
        eid,
        dataType: eventType.dataType,
        isReplay: headers[recordHeader.replay] === 'true',
        // Without a key nothing says of what it is the version.
        version: key === null ? undefined : versionOf(headers[recordHeader.dataVersion]),
        dataOp: 'D',
        value: undefined,
        data: undefined,
      },
    };
  let json: JsonValue;
  try {
    json = parseAcceptedJson(textOf(value));
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    return invalid('EVENT_INVALID', eventType, eid, `its value ${error.code} ${error.message}`);
  }
  const found = valueAt(json, 'metadata.version');
  if (typeof found === 'string' && !isSameMajor(found, eventType.version)) {
    if (unknownVersion === 'skip') return { is: 'ignored', why: 'unknown-version' };
    if (unknownVersion === 'fail')
      return invalid(
        'EVENT_VERSION_UNKNOWN',
        eventType,
        eid,
        `its schema version is ${shown(found)} and this consumer reads ${eventType.version}: deploy one that knows it, or declare unknownVersion`,
      );
  }
  const checked = readValue(eventType.value, json);
  if ('faults' in checked)
    return invalid(
      'EVENT_INVALID',
      eventType,
      eid,
      `its value does not follow the declaration at ${checked.faults}`,
    );
  const writtenEid = valueAt(json, 'metadata.eid');
  const [orderingKey] = eventType.orderingKeyFields;
  return {
    is: 'event',
    event: {
      topic,
      partition,
      offset,
      timestampMs,
      key: key === null ? '' : keyText(key),
      headers,
      eid: typeof writtenEid === 'string' && writtenEid !== '' ? writtenEid : eid,
      dataType: eventType.dataType,
      isReplay: headers[recordHeader.replay] === 'true',
      version:
        key === null || orderingKey === undefined
          ? undefined
          : versionOf(valueAt(json, orderingKey)),
      dataOp: dataOpOf(valueAt(json, 'data_op') ?? headers[recordHeader.dataOp]),
      value: checked.value as ValueEvent<Type>['value'],
      data: valueAt(checked.value, 'data') as ValueEvent<Type>['data'],
    },
  };
}

/**
 * The JSON text of a value. It may name its schema before it in Confluent's wire format (JSON never begins with a zero byte), or begin with a byte order mark.
 * @throws JsonTextError JSON_BAD_STRING if it is not UTF-8.
 */
function textOf(value: Buffer): string {
  const { json } = withoutSchemaId(value);
  if (!isUtf8(json)) throw new JsonTextError('JSON_BAD_STRING', '', 'is not UTF-8 text');
  const hasMark = json[0] === 0xef && json[1] === 0xbb && json[2] === 0xbf;
  return json.toString('utf8', hasMark ? 3 : 0);
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

/** Nearly every event is of the very version that is read. */
function isSameMajor(found: string, ours: string): boolean {
  return found === ours || major(found) === major(ours);
}

function major(version: string): string {
  return version.split('.', 1)[0] ?? version;
}

/** Of a foreign text only what cannot be a payload. */
function shown(version: string): string {
  return /^[0-9A-Za-z.+-]{1,40}$/.test(version) ? version : 'not a version';
}

/** Paths are few, and their steps are looked up for every record. */
const stepsOf = new Map<string, readonly string[]>();

function valueAt(value: unknown, path: string): unknown {
  let steps = stepsOf.get(path);
  if (steps === undefined) {
    steps = path.split('.');
    stepsOf.set(path, steps);
  }
  let at = value;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return at;
}
