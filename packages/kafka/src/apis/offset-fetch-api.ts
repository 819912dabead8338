import type { OwnApi } from '../connection/own-api.ts';
import type { CommittedOffset } from '../ports/group-coordinator.ts';
import { groupByTopic, type TopicPartition } from '../ports/partition.ts';
import type { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

export interface OffsetFetch {
  readonly groupId: string;
  /** undefined: everything that the group has committed. */
  readonly partitions: readonly TopicPartition[] | undefined;
}

export interface OffsetFetchAnswer {
  readonly throttleMs: number;
  /** Of the whole answer; 0 is fine. */
  readonly errorCode: number;
  readonly partitions: readonly CommittedOffset[];
}

/**
 * OffsetFetch that waits for offsets in open transactions to be decided (version 7, Kafka 2.5: UNSTABLE_OFFSET_COMMIT
 * meanwhile), or without that (version 5); kafkajs speaks version 4. Source:
 * https://kafka.apache.org/protocol#The_Messages_OffsetFetch
 */
export const offsetFetchApi: OwnApi<OffsetFetch, OffsetFetchAnswer> = {
  name: 'OffsetFetch',
  key: 9,
  versions: [7, 5],
  flexibleFrom: 6,
  encode({ groupId, partitions }, version) {
    const topics = partitions === undefined ? undefined : groupByTopic(partitions);
    const writer = new ByteWriter();
    if (version === 5) {
      writer.string(groupId);
      if (topics === undefined) return writer.int32(-1).written();
      return writer
        .array(topics, ({ topic, entries }) =>
          writer.string(topic).array(entries, ({ partition }) => writer.int32(partition)),
        )
        .written();
    }
    return writer
      .compactString(groupId)
      .compactArray(topics, ({ topic, entries }) =>
        writer
          .compactString(topic)
          .compactArray(entries, ({ partition }) => writer.int32(partition))
          .noTags(),
      )
      .boolean(true) // stable offsets only
      .noTags()
      .written();
  },
  decode: (cursor, version) => (version === 5 ? decode5(cursor) : decode7(cursor)),
};

function decode5(cursor: ByteCursor): OffsetFetchAnswer {
  const throttleMs = cursor.int32();
  const partitions = cursor
    .array(() => {
      const topic = cursor.string();
      return cursor.array(() => committed(topic, cursor, () => cursor.string()));
    })
    .flat();
  return { throttleMs, partitions, errorCode: cursor.int16() };
}

function decode7(cursor: ByteCursor): OffsetFetchAnswer {
  const throttleMs = cursor.int32();
  const text = () => cursor.compactNullableString() ?? '';
  const partitions = cursor
    .compactArray(() => {
      const topic = text();
      const each = cursor.compactArray(() => {
        const offset = committed(topic, cursor, text);
        cursor.skipTags();
        return offset;
      });
      cursor.skipTags();
      return each;
    })
    .flat();
  return { throttleMs, partitions, errorCode: cursor.int16() };
}

function committed(topic: string, cursor: ByteCursor, text: () => string): CommittedOffset {
  const partition = cursor.int32();
  const offset = cursor.int64();
  cursor.int32(); // leader epoch
  const metadata = text();
  return { topic, partition, offset, metadata, errorCode: cursor.int16() };
}
