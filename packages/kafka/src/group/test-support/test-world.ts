import type { GroupMemberOptions } from '../group-member-options.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryGroup } from './memory-group.ts';
import { MemoryTopics } from './memory-topics.ts';
import { TestMember } from './test-member.ts';

/** A group, and the topic `t` with four partitions. */
export class TestWorld {
  readonly clock = new ManualClock();
  readonly group = new MemoryGroup(this.clock);
  readonly topics = new MemoryTopics();

  constructor() {
    this.topics.create('t', 'id-1', [10n, 20n, 30n, 40n]);
  }

  /** A member that has had time to join, and the others to make room for it. */
  async join(options: Partial<GroupMemberOptions> = {}): Promise<TestMember> {
    const member = new TestMember(this, options);
    await this.clock.advance(7000);
    return member;
  }

  get committed(): Record<string, bigint> {
    return Object.fromEntries([...this.group.offsets].map(([key, { offset }]) => [key, offset]));
  }
}

export const allPartitions = ['t/0', 't/1', 't/2', 't/3'];

/** What a promise has come to so far: `open`, `done`, or its error. */
export function outcome(promise: Promise<void>): { value: unknown } {
  const result = { value: 'open' as unknown };
  promise.then(
    () => (result.value = 'done'),
    (error: unknown) => (result.value = error),
  );
  return result;
}
