import type { KafkaRecord } from '@outbound/consumer';
import { stringifyJson, type JsonValue } from '@outbound/contract';
import { utf8Text } from './safe-text.ts';

/**
 * A record as one line of JSON: `topic`, `partition`, `offset`, `timestamp` (RFC 3339), `key`, `headers`, `tombstone`,
 * and `value` with every digit
 * that it had. Bytes that are no text become `key_base64`, a value that is not JSON `value_base64`. Offsets above 2^53
 * are text, so that no reader rounds them.
 * @param value the record's value as `jsonValueOf` gives it
 */
export function recordJson(record: KafkaRecord, value: JsonValue | undefined): string {
  const envelope = JSON.stringify({
    topic: record.topic,
    partition: record.partition,
    offset: offsetNumber(record.offset),
    timestamp: timestampText(record.timestampMs) ?? null,
    ...bytes('key', record.key),
    headers: record.headers,
    tombstone: record.value === null,
  });
  const rest =
    value !== undefined || record.value === null
      ? `"value":${value === undefined ? 'null' : stringifyJson(value)}`
      : `"value_base64":${JSON.stringify(record.value.toString('base64'))}`;
  return `${envelope.slice(0, -1)},${rest}}`;
}

/** RFC 3339 in UTC; undefined for a timestamp that is none (-1: the record has no time). */
export function timestampText(timestampMs: number): string | undefined {
  if (timestampMs < 0 || timestampMs > 8.64e15) return undefined;
  return new Date(timestampMs).toISOString();
}

/** A number where it is exact, else its digits. */
export function offsetNumber(offset: bigint): number | string {
  return offset <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(offset) : offset.toString();
}

function bytes(name: string, value: Buffer | null): Record<string, string | null> {
  if (value === null) return { [name]: null };
  const text = utf8Text(value);
  return text === undefined ? { [`${name}_base64`]: value.toString('base64') } : { [name]: text };
}
