import type { KafkaRecord, RecordHeader } from '@outbound/kafka';

/** What a record of a test says; the rest is made up. Headers as text, or byte for byte in a list. */
export interface RecordParts {
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: Readonly<Record<string, string>> | readonly RecordHeader[];
  readonly offset?: bigint;
  readonly timestampMs?: number;
}

/** A record as the layer gives it: partition 2 of the topic `t`, offset 9, key `k`, if nothing else is said. */
export function kafkaRecord({
  key = 'k',
  value = null,
  headers = {},
  offset = 9n,
  timestampMs = 5,
}: RecordParts = {}): KafkaRecord {
  const list = Array.isArray(headers)
    ? (headers as readonly RecordHeader[])
    : Object.entries(headers as Record<string, string>).map(([name, text]) => ({
        name,
        value: Buffer.from(text),
      }));
  return {
    topic: 't',
    partition: 2,
    offset,
    timestampMs,
    key: typeof key === 'string' ? Buffer.from(key) : key,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: Object.fromEntries(list.map(({ name, value: bytes }) => [name, String(bytes ?? '')])),
    headerList: () => list,
  };
}
