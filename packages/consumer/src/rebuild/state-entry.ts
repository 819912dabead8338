import { keyText, partitionKey, type KafkaRecord } from '@outbound/kafka';
import { recordHeader, withoutSchemaId } from '@outbound/contract';
import { ConsumerError } from '../errors.ts';
import type { StateEntry } from '../stores/state-store.ts';

/**
 * What a record of a compacted topic says of its key. The record's `data_version` header says the version; where it has
 * none, the value is parsed for it.
 * @param versionPath where the value says the version, the names as in `data.version`.
 * @throws ConsumerError STATE_UNREADABLE for a record without a key: it is no state of anything.
 */
export function stateEntry(record: KafkaRecord, versionPath: readonly string[]): StateEntry {
  const { key, value, headers, partition, offset } = record;
  if (key === null)
    throw new ConsumerError(
      'STATE_UNREADABLE',
      `${partitionKey(record)} offset ${offset} has no key, so this is no topic of states: name a compacted one`,
    );
  return {
    key: keyText(key),
    version: versionOf(headers[recordHeader.dataVersion]) ?? versionIn(value, versionPath),
    value: value ?? undefined,
    partition,
    offset,
  };
}

function versionIn(value: Buffer | null, path: readonly string[]): number | undefined {
  if (value === null) return undefined;
  try {
    let at: unknown = JSON.parse(withoutSchemaId(value).json.toString());
    for (const name of path)
      at =
        typeof at === 'object' && at !== null && Object.hasOwn(at, name)
          ? (at as Record<string, unknown>)[name]
          : undefined;
    return versionOf(at);
  } catch {
    // Not JSON: the order of the topic is what there is.
    return undefined;
  }
}

function versionOf(found: unknown): number | undefined {
  const version = typeof found === 'string' && found !== '' ? Number(found) : found;
  return typeof version === 'number' && Number.isSafeInteger(version) ? version : undefined;
}
