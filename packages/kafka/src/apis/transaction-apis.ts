import type { OwnApi } from '../connection/own-api.ts';
import { groupByTopic, type TopicPartition } from '../ports/partition.ts';
import type { ProducerIdentity } from '../produce/producer-identity.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** Whose transaction it is. */
export interface TransactionOwner {
  readonly transactionalId: string;
  readonly identity: ProducerIdentity;
}

/**
 * AddPartitionsToTxn as clients speak it (up to version 3; from 4 on it is among brokers): the partitions that the
 * owner's transaction is about to write to. Source:
 * https://kafka.apache.org/protocol#The_Messages_AddPartitionsToTxn
 */
export const addPartitionsApi: OwnApi<
  TransactionOwner & { readonly partitions: readonly TopicPartition[] },
  { readonly throttleMs: number; readonly errorCodes: readonly number[] }
> = {
  name: 'AddPartitionsToTxn',
  key: 24,
  versions: [2, 1, 0],
  flexibleFrom: 3,
  encode({ partitions, ...owner }) {
    const writer = writeOwner(owner);
    return writer
      .array(groupByTopic(partitions), ({ topic, entries }) =>
        writer.string(topic).array(entries, ({ partition }) => writer.int32(partition)),
      )
      .written();
  },
  decode(cursor) {
    const throttleMs = cursor.int32();
    const errorCodes = cursor
      .array(() => {
        cursor.string();
        return cursor.array(() => {
          cursor.int32();
          return cursor.int16();
        });
      })
      .flat();
    return { throttleMs, errorCodes };
  },
};

/**
 * EndTxn: commits the owner's transaction, or aborts it. Version 5 would raise the epoch with each (KIP-890); up to
 * here it stays, so that the same request may be sent again until it is answered. Source:
 * https://kafka.apache.org/protocol#The_Messages_EndTxn
 */
export const endTransactionApi: OwnApi<
  TransactionOwner & { readonly isCommit: boolean },
  { readonly throttleMs: number; readonly errorCode: number }
> = {
  name: 'EndTxn',
  key: 26,
  versions: [2, 1, 0],
  flexibleFrom: 3,
  encode: ({ isCommit, ...owner }) => writeOwner(owner).boolean(isCommit).written(),
  decode: (cursor) => ({ throttleMs: cursor.int32(), errorCode: cursor.int16() }),
};

/**
 * InitProducerId with the producer that asks (from version 3 on, KIP-360): the coordinator ends what is open, with a newer epoch, and refuses an older producer where nothing is.
 * What is given out is not used. Source: https://kafka.apache.org/protocol#The_Messages_InitProducerId
 */
export const retireProducerApi: OwnApi<
  TransactionOwner,
  { readonly throttleMs: number; readonly errorCode: number }
> = {
  name: 'InitProducerId',
  key: 22,
  versions: [4, 3],
  flexibleFrom: 2,
  encode: ({ transactionalId, identity }) =>
    new ByteWriter()
      .compactString(transactionalId)
      .int32(1000) // of no transaction: the least that every broker takes
      .int64(identity.producerId)
      .int16(identity.producerEpoch)
      .noTags()
      .written(),
  decode: (cursor) => ({ throttleMs: cursor.int32(), errorCode: cursor.int16() }),
};

/** A transaction as its coordinator knows it. */
export interface TransactionFacts {
  readonly errorCode: number;
  /** In Kafka's words, such as `PrepareAbort`. */
  readonly state: string;
  /** The producer that was given out last, or whose epoch the coordinator has raised by itself. */
  readonly producer: ProducerIdentity;
  /** Those that it is over; while it is being ended, those that have not taken its end yet. */
  readonly partitions: readonly TopicPartition[];
}

/**
 * DescribeTransactions (KIP-664, Kafka 3.0) of one transactional id. Source:
 * https://kafka.apache.org/protocol#The_Messages_DescribeTransactions
 */
export const describeTransactionsApi: OwnApi<
  { readonly transactionalId: string },
  { readonly throttleMs: number; readonly transactions: readonly TransactionFacts[] }
> = {
  name: 'DescribeTransactions',
  key: 65,
  versions: [0],
  flexibleFrom: 0,
  encode({ transactionalId }) {
    const writer = new ByteWriter();
    return writer
      .compactArray([transactionalId], (id) => writer.compactString(id))
      .noTags()
      .written();
  },
  decode(cursor) {
    const throttleMs = cursor.int32();
    const transactions = cursor.compactArray(() => {
      const errorCode = cursor.int16();
      cursor.compactNullableString(); // the transactional id
      const state = cursor.compactNullableString() ?? '';
      cursor.int32(); // its timeout
      cursor.int64(); // when it began
      const producer = { producerId: cursor.int64(), producerEpoch: cursor.int16() };
      const partitions = cursor
        .compactArray(() => {
          const topic = cursor.compactNullableString() ?? '';
          const numbers = cursor.compactArray(() => cursor.int32());
          cursor.skipTags();
          return numbers.map((partition) => ({ topic, partition }));
        })
        .flat();
      cursor.skipTags();
      return { errorCode, state, producer, partitions };
    });
    return { throttleMs, transactions };
  },
};

function writeOwner({ transactionalId, identity }: TransactionOwner): ByteWriter {
  return new ByteWriter()
    .string(transactionalId)
    .int64(identity.producerId)
    .int16(identity.producerEpoch);
}
