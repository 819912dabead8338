import type { GroupCoordinator } from './group-coordinator.ts';
import type { TopicLog } from './topic-log.ts';

/** Port: everything that readers want of Kafka. One for each reader. */
export interface KafkaReads {
  readonly log: TopicLog;
  /** @param groupId as declared; the same object for the same group is not promised. */
  group(groupId: string): GroupCoordinator;
  /** Gives up every connection at once. Never rejects. */
  close(): Promise<void>;
}
