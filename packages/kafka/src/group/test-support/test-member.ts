import { partitionKey, type TopicPartition } from '../../ports/partition.ts';
import type { KafkaError } from '../../kafka-error.ts';
import type { GroupMemberOptions } from '../group-member-options.ts';
import { GroupMember } from '../group-member.ts';
import type { MemberState } from '../member-state.ts';
import type { ManualClock } from './manual-clock.ts';
import type { MemoryGroup } from './memory-group.ts';
import type { MemoryTopics } from './memory-topics.ts';

/** A member with an owner that writes down what it is told. */
export class TestMember {
  readonly member: GroupMember;
  /** `+t/0@5` assigned at 5, `-t/0` revoked, `!t/0` lost. */
  readonly told: string[] = [];
  readonly owned = new Map<string, bigint>();
  readonly states: MemberState[] = [];
  readonly said: string[] = [];
  readonly fault = { isCutOff: false };
  failed: KafkaError | undefined;
  /** What the owner does before it lets go. */
  drain: (partitions: readonly TopicPartition[]) => Promise<void> = async () => Promise.resolve();
  readonly done: Promise<void>;
  isDone = false;
  readonly #stop = new AbortController();

  constructor(
    { clock, group, topics }: { clock: ManualClock; group: MemoryGroup; topics: MemoryTopics },
    options: Partial<GroupMemberOptions> = {},
  ) {
    const say = (_: object, message: string): void => {
      this.said.push(message);
    };
    this.member = new GroupMember({
      coordinator: group.port(this.fault),
      log: topics,
      clock,
      random: () => 0.5,
      topics: ['t'],
      startAt: 'beginning',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      heartbeatMs: 3000,
      onAssigned: (partitions) => {
        for (const { offset, ...partition } of partitions) {
          const key = partitionKey(partition);
          this.told.push(`+${key}@${offset}`);
          this.owned.set(key, offset);
        }
      },
      onRevoked: async (partitions) => {
        this.told.push(...partitions.map((one) => `-${partitionKey(one)}`));
        await this.drain(partitions);
        for (const one of partitions) this.owned.delete(partitionKey(one));
      },
      onLost: (partitions) => {
        this.told.push(...partitions.map((one) => `!${partitionKey(one)}`));
        for (const one of partitions) this.owned.delete(partitionKey(one));
      },
      onState: (state) => this.states.push(state),
      onFailed: (error) => {
        this.failed = error;
      },
      logger: { info: say, warn: say, error: say },
      ...options,
    });
    this.done = this.member.run(this.#stop.signal).finally(() => {
      this.isDone = true;
    });
  }

  get partitions(): string[] {
    return [...this.owned.keys()].sort();
  }

  stop(): void {
    this.#stop.abort();
  }

  async commit(partition: number, offset: bigint, topic = 't'): Promise<void> {
    await this.member.commit([{ topic, partition, offset }]);
  }
}
