import type { DeclaredTopic } from '@outbound/schemas';
import type { LaneBatch } from '../kafka/publisher.ts';
import { noLsn } from '../wal/lsn.ts';

/** Has the form of no aggregate's key. */
const markKey = 'journal';

/**
 * The record that every journal of parked keys has before its first decision, and that compaction keeps. A topic
 * without it is a new one.
 */
export function journalMark({ topic }: DeclaredTopic, nowMs: number): LaneBatch {
  return {
    topic,
    partition: 0,
    records: [
      {
        ...{ topic, partition: 0, key: markKey, value: Buffer.from('{}'), headers: {} },
        position: { commitLsn: noLsn, index: 0 },
        timestampMs: nowMs,
      },
    ],
  };
}

export function isJournalMark(key: Buffer | null): boolean {
  return key?.toString() === markKey;
}

/** Why the topic cannot be the journal that it was; undefined if it can be. `letterLanes`: partitions with dead letters of this source. */
export function whyMadeAnew(journal: {
  readonly hasMark: boolean;
  readonly decisions: number;
  readonly letterLanes: number;
}): string | undefined {
  const { hasMark, decisions, letterLanes } = journal;
  if (hasMark || (decisions === 0 && letterLanes === 0)) return undefined;
  return decisions > 0
    ? `it has ${decisions} decisions, and not the mark that stands before the first one`
    : `it is new, and ${letterLanes} partitions of the dead-letter topic have letters`;
}
