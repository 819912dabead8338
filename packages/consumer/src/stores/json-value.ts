import { isUtf8 } from 'node:buffer';
import { withoutSchemaId } from '@outbound/contract';
import { ConsumerError } from '../errors.ts';
import type { StateEntry } from './state-store.ts';

/**
 * The JSON of a value for a store that holds JSON, as a view of its bytes: without the five bytes that name a schema,
 * where they are. That the bytes are
 * text is checked; that the text is JSON is for the store to see.
 * @throws ConsumerError STATE_UNREADABLE, naming the record.
 */
export function jsonText(value: Buffer, entry: StateEntry, topic: string): Buffer {
  const { json } = withoutSchemaId(value);
  if (!isUtf8(json)) throw notJson(entry, topic, new Error('it is no UTF-8'));
  return json;
}

/** @throws ConsumerError STATE_UNREADABLE, naming the record, for a text that is not JSON as JavaScript reads it. */
export function requireJson(text: Buffer, entry: StateEntry, topic: string): void {
  try {
    JSON.parse(text.toString());
  } catch (cause) {
    throw notJson(entry, topic, cause);
  }
}

/** Neither Kafka nor the store is to blame; the value itself is not shown. */
export function notJson(
  { partition, offset }: StateEntry,
  topic: string,
  cause: unknown,
): ConsumerError {
  return new ConsumerError(
    'STATE_UNREADABLE',
    `the value of ${topic}/${partition} offset ${offset} is not JSON, which is all that this store holds: ` +
      'mend its producer, or rebuild into a store of your own (createMemoryStore keeps any bytes)',
    { cause },
  );
}
