import {
  isJsonObject,
  parseAcceptedJson,
  withoutSchemaId,
  type JsonValue,
} from '@outbound/contract';
import { contentHash } from './content-hash.ts';
import type { RecordState } from './entity-states.ts';

/**
 * What a record says of its key. It is read as a stranger would read it: `data` of the value, its `id` and `version`;
 * other members are
 * not looked at. A value that cannot be read is a finding and not an error.
 */
export function readRecord(key: string, value: Buffer | null): RecordState {
  if (value === null) return { form: 'tombstone' };
  const data = dataOf(value);
  if (!isJsonObject(data)) return { form: 'unreadable' };
  const { id, version } = data;
  if (id !== key || typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    return { form: 'unreadable' };
  return { form: 'value', version, hash: contentHash(data) };
}

/**
 * `data` of an event's value as it is in the topic, with the id of its schema or without; undefined if there is none.
 */
export function dataOf(value: Buffer): JsonValue | undefined {
  let event: JsonValue;
  try {
    event = parseAcceptedJson(utf8.decode(withoutSchemaId(value).json));
  } catch {
    return undefined;
  }
  return isJsonObject(event) ? event['data'] : undefined;
}

/** Broken UTF-8 is an error: U+FFFD in its place would be other content. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
