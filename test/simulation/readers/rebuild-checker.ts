import type { PartitionRange } from '../../../packages/consumer/src/topic-reader/topic-record.ts';
import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedPartition, SimulatedTopic } from './simulated-topic.ts';
import type { StoreDisk } from './simulated-store.ts';

/**
 * Judges a rebuild against what the topic holds: R7 "caught up" is told only when the store has, of every key, the state that the topic had at the ends when reading began, or
 * a later one, deletions included, and nothing that this topic never held; those ends are the ends for everybody, open transactions or not; and nothing below a
 * position is missing in the store. What retention removed may be in the store or not; what came before it in its key
 * may not.
 */
export class RebuildChecker {
  readonly failures: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #topic: string;
  /** How far the partitions were committed when the process began, by uid. */
  #committedTo = new Map<string, number>();
  caughtUp = 0;

  constructor(cluster: SimulatedCluster, topic: string) {
    this.#cluster = cluster;
    this.#topic = topic;
  }

  /** A process begins to read: what it calls the end is not before what is committed now. */
  began(): void {
    this.#committedTo = new Map(
      this.#cluster.partitions().map(({ uid, committedTo }) => [uid, committedTo]),
    );
  }

  toldCaughtUp(disk: StoreDisk, ranges: readonly PartitionRange[]): void {
    this.caughtUp += 1;
    const topic = this.#topicOf(ranges);
    if (!topic) return this.#fail('R7 caught up with a topic that nobody knows');
    for (const { partition, high } of ranges) {
      const found = topic.partitions[partition];
      if (!found) continue;
      const end = Number(high);
      const began = this.#committedTo.get(found.uid) ?? 0;
      if (end < began)
        this.#fail(`R7 ${found.uid} was committed up to ${began}, caught up at ${end}`);
      const open = found.log.recordsFrom(0, end).find(({ fate }) => fate === 'open');
      if (open)
        this.#fail(
          `R7 caught up at ${found.uid} ${end} over the open transaction at ${open.offset}`,
        );
      this.#compare(disk, found, end);
    }
    this.#findGhosts(disk, topic);
  }

  /** A batch was taken: everything below the positions is in the store. */
  applied(disk: StoreDisk): void {
    for (const { partition, nextOffset, mark } of disk.positions.partitions.values()) {
      const id = /"topic_id":"([^"]+)"/.exec(mark)?.[1];
      const found =
        id === undefined
          ? this.#cluster.topic(this.#topic)?.partitions[partition]
          : this.#cluster.byId(id, partition);
      if (found) this.#compare(disk, found, Number(nextOffset));
    }
  }

  /** Keys whose state in the store is not what the topic holds now. */
  different(disk: StoreDisk): string[] {
    const topic = this.#cluster.topic(this.#topic);
    const different: string[] = [];
    const expected = new Map<string, LoggedRecord>();
    for (const { log } of topic?.partitions ?? [])
      for (const [key, record] of log.stateAt(log.lastStableOffset)) expected.set(key, record);
    for (const [key, { eid, isRetired }] of expected) {
      const stored = disk.states.get(key)?.eid;
      if (stored !== eid && !(isRetired && stored === undefined)) different.push(key);
    }
    for (const key of disk.states.keys()) if (!expected.has(key)) different.push(key);
    return different;
  }

  fail(sentence: string): void {
    this.#fail(sentence);
  }

  /** Of every key of the partition the store has the last state below `end`, or a later one. */
  #compare(disk: StoreDisk, { log, uid }: SimulatedPartition, end: number): void {
    const last = new Map<string, LoggedRecord>();
    const later = new Map<string, LoggedRecord[]>();
    for (const record of log.records) {
      if (record.fate !== 'committed') continue;
      if (record.offset < end) last.set(record.key, record);
      else later.set(record.key, [...(later.get(record.key) ?? []), record]);
    }
    for (const [key, record] of last) {
      const eid = disk.states.get(key)?.eid;
      const allowed = [record, ...(later.get(key) ?? [])];
      const isRight = allowed.some(
        (each) =>
          (eid === undefined && (each.isTombstone || each.isRetired)) ||
          (eid === each.eid && !each.isTombstone),
      );
      // What was cleaned away was replaced by what is further on, which may still be ahead.
      const isReplaced = record.isRemoved && !record.isTombstone && later.has(key);
      if (!isRight && !isReplaced)
        this.#fail(
          `R7 the store has ${key} at ${eid ?? 'nothing'}, and ${uid} below ${end} ends with ${record.isTombstone ? 'its deletion' : record.eid}`,
        );
    }
  }

  #findGhosts(disk: StoreDisk, topic: SimulatedTopic): void {
    const eids = new Set(topic.partitions.flatMap(({ log }) => log.records.map(({ eid }) => eid)));
    for (const { key, eid } of disk.states.values())
      if (!eids.has(eid)) this.#fail(`R7 the store has ${key} of another topic, ${eid}`);
  }

  #topicOf(ranges: readonly PartitionRange[]): SimulatedTopic | undefined {
    const id = ranges.find(({ topicId }) => topicId !== undefined)?.topicId;
    return id === undefined
      ? this.#cluster.topic(this.#topic)
      : this.#cluster.incarnations.find((topic) => topic.id === id);
  }

  #fail(sentence: string): void {
    this.failures.push(`${sentence} [${(this.#cluster.scheduler.nowMs / 1000).toFixed(3)} s]`);
  }
}
