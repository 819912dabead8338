import {
  isJsonObject,
  JsonNumber,
  parseAcceptedJson,
  recordHeader,
  stringifyJson,
  type JsonObject,
  withoutSchemaId,
  type JsonValue,
} from '@outbound/contract';
import type { KafkaRecord } from '@outbound/consumer';
import { utf8Text } from './safe-text.ts';

/**
 * The record's value, no digit lost, if it is JSON that keeps our rules (UTF-8, no key twice), also behind the id of
 * its schema; undefined for a tombstone and for anything else.
 */
export function jsonValueOf({ value }: Pick<KafkaRecord, 'value'>): JsonValue | undefined {
  const text = value === null ? undefined : utf8Text(withoutSchemaId(value).json);
  if (text === undefined) return undefined;
  try {
    return parseAcceptedJson(text);
  } catch {
    return undefined;
  }
}

/** What a value of ours is about: `data` of a data change event; of another JSON object, the object itself. */
export function entityOf(value: JsonValue | undefined): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined;
  const data = value['data'];
  return isJsonObject(data) && 'data_op' in value ? data : value;
}

/** The entity version that the value carries (`data.version`), as its digits. */
export function versionOf(entity: JsonObject | undefined): string | undefined {
  const version = entity?.['version'];
  if (typeof version === 'number') return String(version);
  return version instanceof JsonNumber ? version.value : undefined;
}

/** C, U, D or S: of the header, else of the value; D for a tombstone without any. */
export function dataOpOf(
  record: Pick<KafkaRecord, 'headers' | 'value'>,
  value: JsonValue | undefined,
): string | undefined {
  const header = record.headers[recordHeader.dataOp];
  if (header !== undefined) return header;
  if (record.value === null) return 'D';
  const op = isJsonObject(value) ? value['data_op'] : undefined;
  return typeof op === 'string' ? op : undefined;
}

/**
 * The value at a path of names with dots between them (`price.amount`), as text: a string as it is, everything else as
 * JSON writes it.
 * Undefined where there is nothing; `null` is the text `null`.
 */
export function fieldText(entity: JsonObject | undefined, path: string): string | undefined {
  let value: JsonValue | undefined = entity;
  for (const name of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : stringifyJson(value);
}
