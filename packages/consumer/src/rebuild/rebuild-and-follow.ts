import type { EventType } from '@outbound/schemas';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { StateStore } from '../stores/state-store.ts';
import { readTopics, type ReadSummary } from '../topic-reader/read-topics.ts';
import type { PartitionRange } from '../topic-reader/topic-record.ts';
import { ProgressCounter, type RebuildProgress } from './rebuild-progress.ts';
import { RecentVersions } from './recent-versions.ts';
import { resumePlan, type ResumePlan } from './resume-plan.ts';
import { stateEntry } from './state-entry.ts';

export interface RebuildOptions {
  readonly connection: KafkaConnection;
  /** A compacted topic. */
  readonly topic: string;
  /** Says where a value has its version; without it `data.version`. */
  readonly eventType?: Pick<EventType, 'orderingKeyFields'>;
  /** Closed by whoever opened it. */
  readonly store: StateStore;
  /** False: resolves when it has caught up. Default true: follows until `signal`. */
  readonly follow?: boolean;
  /** Called exactly once, when the store holds everything that the topic held when reading began, and nothing else is under way. */
  readonly onCaughtUp?: (facts: CaughtUp) => void | Promise<void>;
  /** Called at most every half second until it has caught up, and once then. */
  readonly onProgress?: (progress: RebuildProgress) => void;
  readonly signal?: AbortSignal;
  readonly log?: KafkaLog;
  /** See `readTopics`. */
  readonly silenceMs?: number;
  /** The topic's `delete.retention.ms`, a day by default: how old positions may be to go on from them. See `resumePlan`. */
  readonly tombstonesLiveMs?: number;
}

/** Told when the state is complete. */
export interface CaughtUp {
  readonly recordCount: number;
  readonly byteCount: number;
  readonly seconds: number;
  /** Where it began, and why there. */
  readonly began: ResumePlan;
  /** The ends that were reached, as they were when it began. */
  readonly partitions: readonly PartitionRange[];
}

/**
 * Builds the latest state of every key of a compacted topic in a store, says when it is complete, and follows without a gap: the same reader simply goes on.
 * Tombstones delete; a version never gives way to an older one. A store that has positions goes on from them, unless deletions may have been
 * missed meanwhile (see `resumePlan`): then it is cleared and filled from the beginning.
 * Until it has caught up, a store that was empty holds a part of the state; one that went on is behind, and has keys and values that have been true.
 * @throws ConsumerError of `readTopics`; STATE_UNREADABLE for a record without a key; and what the store throws: its last step does not count then.
 */
export async function rebuildAndFollow(options: RebuildOptions): Promise<ReadSummary> {
  const { connection, topic, eventType, store, follow = true, signal, log } = options;
  const { tombstonesLiveMs = 86_400_000, silenceMs } = options;
  const versionPath = eventType?.orderingKeyFields[0] ?? 'data.version';
  const startedMs = performance.now();
  const startedAtMs = Date.now();
  const positions = await store.positions();
  const recent = new RecentVersions();
  const progress = new ProgressCounter(options.onProgress);
  let began: ResumePlan | undefined;
  return readTopics({
    connection,
    topics: [topic],
    until: follow ? 'forever' : 'end',
    ...(signal ? { signal } : {}),
    ...(log ? { log } : {}),
    ...(silenceMs === undefined ? {} : { silenceMs }),
    onOpen: async (ranges) => {
      began = resumePlan(positions, {
        ends: new Map(ranges.map(({ partition, high }) => [partition, high])),
        tombstonesLiveMs,
        nowMs: startedAtMs,
      });
      log?.info({ component: 'rebuild', topic, ...began }, 'rebuild begins');
      if (began.from === 'beginning') await store.clear();
      progress.begin(ranges, began.from === 'positions' ? positions.offsets : new Map());
    },
    from: ({ partition, low }) =>
      began?.from === 'positions' ? (positions.offsets.get(partition) ?? low) : low,
    onBatch: async (records) => {
      const last = records.at(-1);
      if (!last) return;
      await store.applyBatch({
        partition: last.partition,
        entries: recent.latest(records.map((record) => stateEntry(record, versionPath))),
        nextOffset: last.offset + 1n,
      });
      progress.add(records, last);
    },
    onCurrent: (atMs) => store.confirm(atMs),
    onCaughtUp: async ({ recordCount, byteCount, partitions }) => {
      await store.confirm(startedAtMs);
      await store.caughtUp();
      progress.end();
      await options.onCaughtUp?.({
        recordCount,
        byteCount,
        seconds: (performance.now() - startedMs) / 1000,
        began: began ?? { from: 'beginning', why: 'empty' },
        partitions,
      });
    },
  });
}
