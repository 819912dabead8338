import { openRecordSender } from '@outbound/kafka';
import { deadLetterOf, partitionOf } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type { KafkaRecord } from '@outbound/consumer';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { kafkaCliError } from '../kafka/kafka-cli-error.ts';
import { readPartitions } from '../kafka/read-partitions.ts';
import { silentLog } from '../kafka/silent-log.ts';

/** Where the letters are, and how to get there. */
export interface LetterTopic {
  readonly connection: KafkaConnection;
  readonly admin: Pick<KafkaAdmin, 'topicRanges' | 'deleteRecords'>;
  readonly topic: string;
  readonly signal: AbortSignal;
}

/** What was done to the dead letters. */
export interface ClearedLetters {
  /** Records of the entity that are gone; those that had been dealt with, too. */
  readonly removed: number;
  /** Records of others that stood before them, and were written again behind. */
  readonly moved: number;
}

/** How many dead letters of the entity there are, and for each partition that has any the offset of the last one. */
export async function findLetters(
  source: LetterTopic,
  isMeant: (letter: { readonly aggregateType: string; readonly aggregateId: string }) => boolean,
): Promise<{ readonly count: number; readonly lasts: ReadonlyMap<number, bigint> }> {
  const lasts = new Map<number, bigint>();
  let count = 0;
  await readAll(source, undefined, (records) => {
    for (const record of records) {
      const letter = deadLetterOf(record.headers, null);
      if (!letter || !isMeant(letter)) continue;
      count += 1;
      lasts.set(record.partition, record.offset);
    }
  });
  return { count, lasts };
}

/**
 * Takes an entity's letters out of the dead-letter topic: whatever stands before the last of them is written again, byte for byte, behind all, and then the
 * beginning of the partition is deleted. So others keep theirs: a letter is known by its number, wherever it stands, and one that is there twice counts once
 * (`waitingLetters`); a run that breaks off in between has only made copies. Give the letters up first.
 * @throws CliError KAFKA_UNAVAILABLE and others; what the signal says, if it is aborted
 */
export async function clearLetters(
  source: LetterTopic,
  isMeant: (letter: { readonly aggregateType: string; readonly aggregateId: string }) => boolean,
): Promise<ClearedLetters> {
  const { connection, topic, admin } = source;
  const { count, lasts } = await findLetters(source, isMeant);
  if (count === 0) return { removed: 0, moved: 0 };
  const sender = await openRecordSender({ connection, topic, partitionOf, log: silentLog }).catch(
    (thrown: unknown) => {
      throw kafkaCliError(thrown, `writing to ${topic}`, connection.brokers);
    },
  );
  let moved = 0;
  try {
    await readAll(source, lasts, async (records) => {
      const others = records.filter((record) => {
        const letter = deadLetterOf(record.headers, null);
        return !letter || !isMeant(letter);
      });
      moved += others.length;
      await sender.send(
        others.map((record) => ({
          key: record.key,
          value: record.value,
          headers: record.headerList(),
          timestampMs: record.timestampMs,
        })),
      );
    });
  } catch (thrown) {
    source.signal.throwIfAborted();
    throw kafkaCliError(thrown, `writing to ${topic}`, connection.brokers);
  } finally {
    await sender.close();
  }
  await admin.deleteRecords(
    topic,
    Array.from(lasts, ([partition, last]) => ({ partition, offset: last + 1n })),
  );
  return { removed: count, moved };
}

/** Every record, or only those of these partitions up to these offsets. */
async function readAll(
  { connection, admin, topic, signal }: LetterTopic,
  upTo: ReadonlyMap<number, bigint> | undefined,
  onRecords: (records: readonly KafkaRecord[]) => void | Promise<void>,
): Promise<void> {
  const ranges = await admin.topicRanges(topic);
  signal.throwIfAborted();
  await readPartitions({
    connection,
    topic,
    from: new Map(
      ranges.flatMap(({ partition, low }): [number, bigint][] =>
        upTo === undefined || upTo.has(partition) ? [[partition, low]] : [],
      ),
    ),
    until: 'end',
    signal,
    onRecords: async (records) => {
      const wanted = records.filter(({ partition, offset }) => {
        const last = upTo?.get(partition);
        return last === undefined || offset <= last;
      });
      if (wanted.length > 0) await onRecords(wanted);
    },
  });
  // What was not read whole must not be deleted.
  signal.throwIfAborted();
}
