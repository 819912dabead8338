import { recordHeader } from '@outbound/schemas';
import { ConsumerError } from '../errors.ts';
import type { StateEntry } from '../stores/state-store.ts';
import { partitionKey, type TopicRecord } from '../topic-reader/topic-record.ts';

/**
 * What a record of a compacted topic says of its key.
 * @param versionPath where the value says the version, as `data.version`; the record's `data_version` header goes before it.
 * @throws ConsumerError STATE_UNREADABLE for a record without a key: it is no state of anything.
 */
export function stateEntry(record: TopicRecord, versionPath: string): StateEntry {
  const { key, value, headers } = record;
  if (key === null)
    throw new ConsumerError(
      'STATE_UNREADABLE',
      `${partitionKey(record)} offset ${record.offset} has no key, so this is no topic of states: name a compacted one`,
    );
  return {
    key: key.toString(),
    version: versionOf(headers[recordHeader.dataVersion]) ?? versionIn(value, versionPath),
    value: value ?? undefined,
  };
}

function versionIn(value: Buffer | null, path: string): number | undefined {
  if (value === null) return undefined;
  try {
    let at: unknown = JSON.parse(value.toString());
    for (const name of path.split('.'))
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
