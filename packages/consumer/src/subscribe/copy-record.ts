import type { KafkaRecord, RecordHeader } from '@outbound/kafka';

/** Bytes of a record's key and value. */
export function sizeOf({ key, value }: Pick<KafkaRecord, 'key' | 'value'>): number {
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
}

/** The same record with bytes of its own: it keeps nothing in memory of what it was fetched with. `bytes` is what it keeps instead. */
export function copyRecord(record: KafkaRecord): {
  readonly record: KafkaRecord;
  readonly bytes: number;
} {
  const list = record.headerList();
  let bytes = sizeOf(record);
  for (const { value } of list) bytes += value?.byteLength ?? 0;
  // Of its own also where it is small: Node's pool would keep eight kilobytes for it.
  const own = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  const copy = (view: Buffer | null): Buffer | null => {
    if (view === null) return null;
    const from = at;
    at += view.copy(own, from);
    return own.subarray(from, at);
  };
  const { topic, partition, offset, timestampMs, headers } = record;
  const key = copy(record.key);
  const value = copy(record.value);
  const copies: readonly RecordHeader[] = list.map((header) => ({
    name: header.name,
    value: copy(header.value),
  }));
  return {
    record: {
      ...{ topic, partition, offset, timestampMs, key, value, headers },
      headerList: () => copies,
    },
    bytes,
  };
}
