import { readTopics } from '@outbound/consumer';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { TopicView } from './topic-view.ts';

/**
 * Reads the topic on, to what is its end now, into the view; joins no group and leaves nothing behind.
 * @throws CliError TOPIC_CHANGED; ConsumerError TOPIC_MISSING, READER_STALLED, READ_REFUSED.
 */
export async function readTopicOn(
  view: TopicView,
  {
    connection,
    topic,
    signal,
    log,
  }: {
    readonly connection: KafkaConnection;
    readonly topic: string;
    readonly signal: AbortSignal;
    readonly log: KafkaLog;
  },
): Promise<void> {
  await readTopics({
    connection,
    topics: [topic],
    from: (range) => view.nextOffset(range.partition, range),
    until: 'end',
    onBatch: (records) => view.take(records),
    signal,
    log,
  });
  signal.throwIfAborted();
}
