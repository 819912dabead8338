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

function writeOwner({ transactionalId, identity }: TransactionOwner): ByteWriter {
  return new ByteWriter()
    .string(transactionalId)
    .int64(identity.producerId)
    .int16(identity.producerEpoch);
}
