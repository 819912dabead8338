import type { TopicFacts, TopicLog } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import type { ReadTopic } from './read-topic.ts';

/** How often the topic is looked at while it is read. */
const lookEveryMs = 10_000;

/** Thrown by a reading: the topic is not what it was when reading began, so there is more to be read, or other things. */
export class TopicChanged extends Error {}

/**
 * Reads as `read` does, and looks at the topic meanwhile: a rebuild wants all of its partitions, and of no other topic than the one that it began with. What it opens with says the
 * topic's id, where the brokers know it. A look that fails says nothing: that Kafka is away is the reader's to notice.
 * @throws TopicChanged if partitions were added, or the topic was made again; what `read` throws.
 */
export function watchTopic(
  read: ReadTopic,
  {
    log,
    clock,
    topic,
  }: { readonly log: Pick<TopicLog, 'topics'>; readonly clock: Clock; readonly topic: string },
): ReadTopic {
  const look = async (): Promise<TopicFacts | undefined> => {
    try {
      const [facts] = await log.topics([topic]);
      return facts?.errorCode === 0 ? facts : undefined;
    } catch {
      return undefined;
    }
  };
  return async (options) => {
    // Before the partitions' ends are asked for: what changes in between is seen by the first look behind it.
    let first = await look();
    const end = new AbortController();
    let change: string | undefined;
    /** Never rejects, and nobody waits for it: a look may take as long as a broker likes. */
    const watch = async () => {
      while (!end.signal.aborted) {
        const now = await look();
        first ??= now;
        change ??= changeOf(first, now);
        if (change !== undefined) end.abort();
        await clock.sleep(lookEveryMs, end.signal);
      }
    };
    try {
      const summary = await read({
        ...options,
        signal: options.signal ? AbortSignal.any([options.signal, end.signal]) : end.signal,
        onOpen: async (ranges) => {
          await options.onOpen?.(
            ranges.map((range) => ({ ...range, topicId: range.topicId ?? first?.topicId })),
          );
          watch().catch(() => undefined);
        },
      });
      if (change !== undefined) throw new TopicChanged(`topic ${topic} ${change}`);
      return summary;
    } finally {
      end.abort();
    }
  };
}

/** A broker that lags behind may still tell of fewer partitions than were seen: that alone is no change. */
function changeOf(first: TopicFacts | undefined, now: TopicFacts | undefined): string | undefined {
  if (!first || !now) return undefined;
  const { topicId, partitions } = first;
  if (topicId !== undefined && now.topicId !== undefined && topicId !== now.topicId)
    return 'was deleted and made again';
  if (now.partitions.length > partitions.length)
    return `has ${now.partitions.length} partitions now, and had ${partitions.length}`;
  return undefined;
}
