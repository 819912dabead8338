import { readPartition, Cluster, TopicDirectory } from '@outbound/kafka';
import {
  deadLetterOf,
  parkedKeyText,
  partitionOf,
  redriveRow,
  waitingLetters,
  type DeadLetter,
  type DeadLetterTopics,
  type OutboxRowText,
} from '@outbound/schemas';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import type { ParkedKey } from './redrive-known.ts';

const rowsAtOnce = 200;

/**
 * The rows of the letters of these keys that wait, each key's in order and up to the first that is no row of the
 * outbox, in bundles of 200. Reads the partitions of the dead-letter topic that the keys are in, whole, over
 * connections of its own.
 * @throws KafkaError as `readPartition`, and what `each` throws.
 */
export async function letterRows(
  {
    connection,
    log,
    topics,
  }: { connection: KafkaConnection; log: KafkaLog; topics: DeadLetterTopics },
  keys: readonly ParkedKey[],
  each: (rows: readonly OutboxRowText[]) => Promise<void>,
): Promise<void> {
  const { topic, partitions } = topics.deadLetters;
  const directory = new TopicDirectory(new Cluster(connection, log), [topic]);
  try {
    await directory.refresh();
    const wanted = new Map(
      keys.map((key) => [parkedKeyText(key.aggregateType, key.aggregateId), key]),
    );
    const letters = new Map<string, DeadLetter[]>();
    for (const partition of new Set(
      keys.map(({ aggregateId }) => partitionOf(aggregateId, partitions)),
    ))
      await readPartition(
        directory.cluster,
        directory.leaderOf(topic, partition),
        { topic, partition },
        (records) => {
          for (const { headers, value } of records) {
            const letter = deadLetterOf(headers, value);
            const key = letter && parkedKeyText(letter.aggregateType, letter.aggregateId);
            if (!key || wanted.get(key)?.state.since !== letter.since) continue;
            // The value is a view of a whole fetch.
            const payload = letter.payload && Buffer.from(letter.payload);
            letters.set(key, [...(letters.get(key) ?? []), { ...letter, payload }]);
          }
        },
      );
    for (const [name, { state }] of wanted) {
      const rows: OutboxRowText[] = [];
      for (const letter of waitingLetters(state, letters.get(name) ?? [])) {
        const row = redriveRow(letter);
        if (!row) break;
        rows.push(row);
      }
      for (let at = 0; at < rows.length; at += rowsAtOnce)
        await each(rows.slice(at, at + rowsAtOnce));
    }
  } finally {
    directory.cluster.close();
  }
}
