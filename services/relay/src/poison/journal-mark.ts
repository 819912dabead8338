import type { DeclaredTopic } from '@outbound/contract';
import type { LaneBatch } from '../kafka/publisher.ts';
import { noLsn } from '../wal/lsn.ts';

/** Has the form of no aggregate's key. One for each source: the journal may be shared, and whoever is first after it was made again must not vouch for the others. */
function markKey(fingerprint: string): string {
  return `journal of ${fingerprint}`;
}

/**
 * The record that a journal of parked keys has before its source's first decision, and that compaction keeps. A topic
 * without it is a new one to that source.
 */
export function journalMark(
  { topic }: DeclaredTopic,
  fingerprint: string,
  nowMs: number,
): LaneBatch {
  return {
    topic,
    partition: 0,
    records: [
      {
        ...{
          topic,
          partition: 0,
          key: markKey(fingerprint),
          value: Buffer.from('{}'),
          headers: {},
        },
        position: { commitLsn: noLsn, index: 0 },
        timestampMs: nowMs,
      },
    ],
  };
}

/** Whether a record of that key is the source's mark. */
export function isJournalMark(key: Buffer | null, fingerprint: string): boolean {
  return key?.toString() === markKey(fingerprint);
}

/** Why the topic cannot be the journal that it was; undefined if it can be. `decisions` and `letterLanes`: of this source, and partitions with dead letters of it. */
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
