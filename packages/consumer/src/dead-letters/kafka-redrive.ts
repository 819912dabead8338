import {
  errorFromCode,
  keyBytes,
  openKafkaReads,
  readOn,
  unknownTopicOrPartition,
  type KafkaRecord,
  type TopicFacts,
} from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { deadLetterOf } from './dead-letter.ts';
import { createDeadLetterSender } from './dead-letter-sender.ts';
import {
  journalEntryOf,
  journalRecord,
  RedriveBook,
  redriveTopic,
  type JournalEntry,
  type RedriveRequest,
} from './redrive-journal.ts';
import type { RedrivePort } from './redrive-port.ts';

/** A dead-letter topic and its journal in Kafka, for members of the group, and for a person who asks for a redrive. */
export interface KafkaRedrive extends RedrivePort {
  /** Asks for it; resolves when every replica in sync has it. Order: after `look`. */
  ask(request: RedriveRequest): Promise<void>;
  /** Of the dead-letter topic at the last `look`; undefined where it does not exist. */
  readonly letterPartitions: readonly number[] | undefined;
}

/** What is read and written, over connections of its own. Close it. @throws KafkaError KAFKAJS_VERSION */
export async function openKafkaRedrive(options: {
  readonly connection: KafkaConnection;
  /** The dead-letter topic. */
  readonly topic: string;
  readonly log: KafkaLog;
}): Promise<KafkaRedrive> {
  const { connection, topic: letters, log } = options;
  const journal = redriveTopic(letters);
  const kafka = await openKafkaReads(connection, log);
  const sender = createDeadLetterSender({
    ...{ connection, topic: journal, log },
    refusal: `topic ${journal} did not take a record: check that it can be written to; what a redrive has done and it does not say is done again`,
  });
  let book = new RedriveBook();
  let positions = new Map<number, bigint>();
  let ids = '';
  let lettersFacts: TopicFacts | undefined;

  const write = async (said: JournalEntry): Promise<void> => {
    const record = journalRecord(said, lettersFacts?.topicId);
    await sender.send({ ...record, headers: [], timestampMs: Date.now() });
  };
  const leaderOf = (facts: TopicFacts | undefined, partition: number): number =>
    facts?.partitions.find((each) => each.partition === partition)?.leader ?? -1;
  const facts = async (): Promise<readonly [TopicFacts, TopicFacts] | undefined> => {
    const [journalFacts, found] = await kafka.log.topics([journal, letters]);
    lettersFacts = found?.errorCode === 0 ? found : undefined;
    for (const each of [journalFacts, found]) {
      if (!each || each.errorCode === unknownTopicOrPartition) return undefined;
      if (each.errorCode !== 0) throw errorFromCode(each.errorCode, `topic ${each.topic}`);
    }
    return journalFacts && found && [journalFacts, found];
  };

  return {
    topic: journal,
    get letterPartitions() {
      return lettersFacts?.partitions.map(({ partition }) => partition);
    },
    async look() {
      const both = await facts();
      if (!both) return undefined;
      const [journalFacts, found] = both;
      const now = JSON.stringify([journalFacts.topicId, found.topicId]);
      // One of them was made again: what its offsets said means nothing.
      if (now !== ids) {
        book = new RedriveBook();
        positions = new Map();
        ids = now;
      }
      for (const { partition, leader } of journalFacts.partitions) {
        const at = { topic: journal, partition, offset: positions.get(partition) ?? 0n };
        const take = (records: readonly KafkaRecord[]): boolean => {
          for (const record of records) {
            const said = journalEntryOf(record, found.topicId);
            if (said) book.add(said);
            positions.set(partition, record.offset + 1n);
          }
          return true;
        };
        positions.set(partition, await readOn(kafka.log, leader, at, take));
      }
      return book;
    },
    async tell(entry) {
      await write({ kind: 'progress', entry });
      book.add({ kind: 'progress', entry });
    },
    ask: (entry) => write({ kind: 'request', entry }),
    async read(from, onLetter) {
      const ends = new Map(from);
      for (const [partition, offset] of from) {
        let goesOn = true;
        const take = async (records: readonly KafkaRecord[]): Promise<boolean> => {
          for (const record of records) {
            const letter = deadLetterOf(record);
            if (letter && !(await onLetter(letter))) goesOn = false;
            if (!goesOn) return false;
          }
          return true;
        };
        const leader = leaderOf(lettersFacts, partition);
        ends.set(
          partition,
          await readOn(kafka.log, leader, { topic: letters, partition, offset }, take),
        );
        if (!goesOn) break;
      }
      return ends;
    },
    partitionOf: (key) =>
      lettersFacts && partitionOf(keyBytes(key), lettersFacts.partitions.length),
    async close() {
      await Promise.all([kafka.close(), sender.close()]);
    },
  };
}
