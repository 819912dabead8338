import { readTopics } from '@outbound/consumer';
import { recordHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';

/** What was found in the topics. */
export interface PublishedEvents {
  readonly recordCount: number;
  /** When the newest record of a relay was committed, by topic; a topic without one is left out. */
  readonly newestMs: ReadonlyMap<string, number>;
}

/**
 * A record's time is its commit, which is after its row's creation; more only if the server's clock was set back
 * meanwhile.
 */
const clockSlackMs = 3_600_000;
/** Read of each partition in any case, to know when something was published last. */
const leastRecords = 100n;

/**
 * Reads what relays have published since the oldest retained event was created. Told to `onSeen` in bounded portions. A
 * replay says nothing
 * about what came before it in its lane, so it is left out, and so is whatever no relay wrote.
 */
export async function readPublished(options: {
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly topics: readonly string[];
  readonly since: Date;
  readonly onSeen: (topic: string, eids: readonly string[]) => Promise<void>;
  readonly signal: AbortSignal;
}): Promise<PublishedEvents> {
  const { connection, admin, topics, since, onSeen, signal } = options;
  const starts = new Map<string, bigint>();
  for (const topic of topics)
    for (const { partition, offset } of await admin.offsetsAt(
      topic,
      Math.max(0, since.getTime() - clockSlackMs),
    ))
      starts.set(`${topic}/${partition}`, offset);
  const newestMs = new Map<string, number>();
  const { recordCount } = await readTopics({
    connection,
    topics,
    from: ({ topic, partition, low, high }) => {
      const start = starts.get(`${topic}/${partition}`) ?? low;
      const latest = high - leastRecords;
      const from = start < latest ? start : latest;
      return from > low ? from : low;
    },
    until: 'end',
    signal,
    onBatch: async (records) => {
      const topic = records[0]?.topic;
      if (topic === undefined) return;
      const eids: string[] = [];
      for (const { headers, timestampMs } of records) {
        const eid = headers[recordHeader.id];
        if (eid === undefined || headers[recordHeader.sourceLsn] === undefined) continue;
        if (headers[recordHeader.replay] !== undefined) continue;
        eids.push(eid);
        newestMs.set(topic, Math.max(newestMs.get(topic) ?? 0, timestampMs));
      }
      await onSeen(topic, eids);
    },
  });
  return { recordCount, newestMs };
}
