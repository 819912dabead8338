import type { KafkaRecord } from '@outbound/consumer';

/**
 * True for the records to show: of one key, if one is given (compared as bytes), and with a text somewhere in key,
 * headers or value. No pattern, no case
 * folding: what it finds is there.
 */
export function recordFilter({
  key,
  text,
}: {
  readonly key?: string | undefined;
  readonly text?: string | undefined;
}): (record: KafkaRecord) => boolean {
  const keyBytes = key === undefined ? undefined : Buffer.from(key);
  const textBytes = text === undefined ? undefined : Buffer.from(text);
  return (record) => {
    if (keyBytes && (record.key === null || !keyBytes.equals(record.key))) return false;
    if (text === undefined || !textBytes) return true;
    return (
      record.key?.includes(textBytes) === true ||
      record.value?.includes(textBytes) === true ||
      Object.values(record.headers).some((value) => value.includes(text))
    );
  };
}
