import { deadLetterTopics, type ParkedState } from '@outbound/contract';
import { readJournal, type LetterSource } from '../dead-letters/waiting-keys.ts';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';

/** What the relay could not publish, and holds back behind that. */
export interface ParkedStatus {
  readonly keys: number;
  /** Events that wait in the dead letters of these keys. */
  readonly events: number;
  /** When the key was parked that waits for longest; null if none waits. */
  readonly oldest_at: string | null;
  readonly oldest_seconds: number | null;
  /** Keys by the code of the error that parked them. */
  readonly by_code: Readonly<Record<string, number>>;
}

/**
 * Reads how the keys stand; undefined if the topics of dead letters are not there. Reads the topic of parked keys, which is compacted, and not the letters.
 * @throws CliError KAFKA_UNAVAILABLE
 */
export async function readParkedStatus(
  source: Omit<LetterSource, 'topics' | 'admin'> & {
    readonly admin: Pick<KafkaAdmin, 'topics' | 'topicRanges'>;
  },
  { topicPrefix, nowMs }: { readonly topicPrefix: string; readonly nowMs: number },
): Promise<ParkedStatus | undefined> {
  const topics = deadLetterTopics(topicPrefix);
  const names = new Set(await source.admin.topics());
  if (!names.has(topics.parkedKeys.topic)) return undefined;
  const keys = await readJournal({ ...source, topics });
  return parkedStatus(
    Array.from(keys.values(), ({ state }) => state),
    nowMs,
  );
}

/** Counts them. Pure. */
export function parkedStatus(states: readonly ParkedState[], nowMs: number): ParkedStatus {
  const byCode = new Map<string, number>();
  for (const { code } of states) byCode.set(code, (byCode.get(code) ?? 0) + 1);
  const oldestMs = Math.min(
    ...states.map(({ at }) => Date.parse(at)).filter((atMs) => Number.isFinite(atMs)),
  );
  const isKnown = Number.isFinite(oldestMs);
  return {
    keys: states.length,
    events: states.reduce((sum, { count, done }) => sum + count - done, 0),
    oldest_at: isKnown ? new Date(oldestMs).toISOString() : null,
    oldest_seconds: isKnown ? Math.max(0, (nowMs - oldestMs) / 1000) : null,
    by_code: Object.fromEntries([...byCode].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
