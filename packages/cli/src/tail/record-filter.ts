import type { KafkaRecord } from '@outbound/consumer';
import { keyBytes } from '@outbound/kafka';

/**
 * True for the records to show: of one key, if one is given (as `keyText` writes it; compared as bytes), and with a text somewhere in key,
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
  const wanted = key === undefined ? undefined : keyBytes(key);
  const textBytes = text === undefined ? undefined : Buffer.from(text);
  return (record) => {
    if (wanted && (record.key === null || !wanted.equals(record.key))) return false;
    if (text === undefined || !textBytes) return true;
    return (
      record.key?.includes(textBytes) === true ||
      record.value?.includes(textBytes) === true ||
      Object.values(record.headers).some((value) => value.includes(text))
    );
  };
}
