import { ReadersChecker } from './readers-checker.ts';
import type { LoggedEvent } from './simulated-log.ts';
import { SimulatedTopic, type SimulatedPartition } from './simulated-topic.ts';

/** Where and when a story's records are appended. */
export const at = { leaderEpoch: 0, timestampMs: 0 };
/** The partition of a story. */
export const here = { topic: 't', partition: 0 };

/** An event by its id: key, a colon, version. */
export function event(eid: string): LoggedEvent {
  const [key = '', version = ''] = eid.split(':');
  return {
    eid,
    key,
    version: Number(version),
    isTombstone: false,
    bytes: { key: Buffer.from(key), value: Buffer.from(eid), headers: [] },
  };
}

/** A partition with these events, and readers a and b; a has it: what they do is told to the checker by hand. */
export class Story {
  readonly partition: SimulatedPartition;
  readonly checker: ReadersChecker;
  nowMs = 0;
  owner = 'a';
  #call = 0;

  constructor(eids: readonly string[], from: 'beginning' | 'end' = 'beginning') {
    const topic = new SimulatedTopic('t', 1);
    topic.add(1, [1]);
    const [partition] = topic.partitions;
    if (!partition) throw new Error('no partition');
    this.partition = partition;
    for (const eid of eids) partition.log.append([event(eid)], at);
    this.replicate();
    this.checker = new ReadersChecker(
      {
        nowMs: () => this.nowMs,
        partitions: () => [this.partition],
        otherOwner: (reader) => (reader === this.owner ? undefined : this.owner),
      },
      from,
    );
    for (const reader of ['a', 'b']) this.checker.started(reader, 1000);
    this.checker.assigned('a', [here], 0);
  }

  replicate(): void {
    const { log } = this.partition;
    log.highWatermark = log.endOffset;
    this.partition.committedTo = log.endOffset;
  }

  begin(reader: string, ...eids: readonly string[]): this {
    this.#call += 1;
    for (const eid of eids) this.checker.began(reader, eid, this.#call);
    return this;
  }

  handle(reader: string, ...eids: readonly string[]): this {
    for (const eid of eids) {
      this.begin(reader, eid);
      this.checker.handled(reader, eid);
    }
    return this;
  }

  commit(reader: string, offset: number): this {
    this.checker.committing(reader, `${reader}-1`, here, offset);
    this.checker.committed(reader, this.partition, offset);
    return this;
  }

  /** The partition goes over to b, in order. */
  handOver(): this {
    this.checker.assigned('a', [], this.nowMs);
    this.checker.assigned('b', [here], this.nowMs);
    this.owner = 'b';
    return this;
  }

  get failures(): readonly string[] {
    return this.checker.failures;
  }
}
