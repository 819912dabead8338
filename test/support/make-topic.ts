import type { Admin, ITopicConfig } from 'kafkajs';
import { eventually } from './eventually.ts';

/**
 * Makes a topic, and comes back when each of its partitions has a leader. Also one whose name is still taken by a topic that is being deleted. kafkajs' own waiting ends
 * with an error where the broker that it asks has not heard of the topic yet.
 */
export async function makeTopic(admin: Admin, topic: ITopicConfig): Promise<void> {
  await eventually(() => admin.createTopics({ waitForLeaders: false, topics: [topic] }));
  await eventually(async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic.topic] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
  });
}
