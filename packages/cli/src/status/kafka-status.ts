import { readTopics } from '@outbound/consumer';
import { topics, type EventTypeRegistry, type Route } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type { GroupOffset, KafkaAdmin } from '../kafka/kafka-admin.ts';
import { topicLag, type PartitionRange } from './group-lag.ts';
import { inParallel } from './in-parallel.ts';

export interface TopicStatus {
  readonly topic: string;
  readonly cleanup_policy: Route['cleanupPolicy'];
  readonly exists: boolean;
  readonly partitions: number | null;
  /** From the first offset to the end; on a compacted topic the most there can be. */
  readonly records: number | null;
  readonly ends: Readonly<Record<string, string>> | null;
}

export interface GroupStatus {
  readonly group: string;
  readonly state: string;
  /** Null where the group's protocol does not show them. */
  readonly members: number | null;
  readonly topic: string;
  readonly lag_records: number | null;
  /** True on a compacted topic: offsets are counted, and some of their records are gone. */
  readonly lag_is_upper_bound: boolean;
  /** Age of the first record that is not consumed; 0 if there is none. Null if it cannot be known. */
  readonly lag_seconds: number | null;
  readonly partitions_without_position: number;
  /** Records that retention removed before the group came to them. */
  readonly expired_records: number;
}

export interface KafkaStatus {
  readonly cluster: { readonly id: string; readonly brokers: readonly string[] };
  readonly topics: readonly TopicStatus[];
  readonly groups: readonly GroupStatus[];
}

interface FoundTopic {
  readonly route: Route;
  readonly ranges: readonly PartitionRange[];
}

/** Longest wait for the records that tell how old the lags are, all groups together. */
const readMs = 8000;
/** Questions that are out at once. */
const width = 4;

/** The declared topics and the groups that read them. @throws CliError KAFKA_* */
export async function readKafkaStatus(
  admin: KafkaAdmin,
  parts: {
    readonly connection: KafkaConnection;
    readonly eventTypes: EventTypeRegistry;
    readonly nowMs: () => number;
    readonly signal: AbortSignal;
  },
): Promise<KafkaStatus> {
  const cluster = await admin.brokers();
  const names = new Set(await admin.topics());
  const declared = topics(parts.eventTypes);
  const found = new Map<string, FoundTopic>();
  for (const route of declared)
    if (names.has(route.topic))
      found.set(route.topic, { route, ranges: await admin.topicRanges(route.topic) });
  return {
    cluster: {
      id: cluster.clusterId,
      brokers: cluster.brokers.map(({ id, host, port }) => `${id} at ${host}:${port}`),
    },
    topics: declared.map((route) => topicStatus(route, found.get(route.topic)?.ranges)),
    groups: await groupStatuses(admin, found, parts),
  };
}

function topicStatus(route: Route, ranges: readonly PartitionRange[] | undefined): TopicStatus {
  return {
    topic: route.topic,
    cleanup_policy: route.cleanupPolicy,
    exists: ranges !== undefined,
    partitions: ranges?.length ?? null,
    records: ranges ? Number(ranges.reduce((sum, { low, high }) => sum + high - low, 0n)) : null,
    ends: ranges
      ? Object.fromEntries(ranges.map(({ partition, high }) => [partition, String(high)]))
      : null,
  };
}

async function groupStatuses(
  admin: KafkaAdmin,
  found: ReadonlyMap<string, FoundTopic>,
  parts: Parameters<typeof readKafkaStatus>[1],
): Promise<GroupStatus[]> {
  const consumers = (await admin.groups()).filter(
    ({ protocolType }) => protocolType === '' || protocolType === 'consumer',
  );
  const lags = await inParallel(consumers, width, async (facts) => {
    const positions = positionsByTopic(await admin.groupOffsets(facts.group));
    return [...positions].flatMap(([topic, ofTopic]) => {
      const known = found.get(topic);
      return known ? [{ facts, known, topic, lag: topicLag(known.ranges, ofTopic) }] : [];
    });
  });
  // One deadline for all of them: many groups that lag must not hide what is known already.
  const deadline = AbortSignal.any([parts.signal, AbortSignal.timeout(readMs)]);
  return inParallel(lags.flat(), width, async ({ facts, known, topic, lag }) => ({
    group: facts.group,
    state: facts.state,
    members: facts.state === 'Unknown' ? null : facts.members.length,
    topic,
    lag_records: lag.records,
    lag_is_upper_bound: known.route.cleanupPolicy === 'compact',
    lag_seconds: lag.unplaced > 0 ? null : await lagSeconds(topic, lag.next, parts, deadline),
    partitions_without_position: lag.unplaced,
    expired_records: lag.expired,
  }));
}

function positionsByTopic(
  offsets: readonly GroupOffset[],
): ReadonlyMap<string, ReadonlyMap<number, bigint>> {
  const positions = new Map<string, Map<number, bigint>>();
  for (const { topic, partition, offset } of offsets) {
    if (offset === undefined) continue;
    const ofTopic = positions.get(topic) ?? new Map<number, bigint>();
    positions.set(topic, ofTopic.set(partition, offset));
  }
  return positions;
}

/**
 * Reads the first record of each position: its timestamp is when the change was committed. Null if not all could be
 * read.
 */
async function lagSeconds(
  topic: string,
  next: readonly { readonly partition: number; readonly offset: bigint }[],
  { connection, nowMs }: Parameters<typeof readKafkaStatus>[1],
  deadline: AbortSignal,
): Promise<number | null> {
  if (next.length === 0) return 0;
  const waiting = new Map(next.map(({ partition, offset }) => [partition, offset]));
  const enough = new AbortController();
  let oldestMs = Infinity;
  try {
    await readTopics({
      connection,
      topics: [topic],
      from: ({ partition, high }) => waiting.get(partition) ?? high,
      until: 'end',
      onBatch: ([first]) => {
        if (!first || !waiting.delete(first.partition)) return;
        oldestMs = Math.min(oldestMs, first.timestampMs);
        if (waiting.size === 0) enough.abort();
      },
      signal: AbortSignal.any([deadline, enough.signal]),
    });
  } catch {
    return null;
  }
  // Read to its end, a position without a record has none after it: compaction took them, and nothing is waiting there.
  const isRead = enough.signal.aborted || !deadline.aborted;
  if (!isRead) return null;
  return oldestMs === Infinity ? 0 : Math.max(0, (nowMs() - oldestMs) / 1000);
}
