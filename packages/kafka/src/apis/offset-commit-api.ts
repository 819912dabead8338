import type { OwnApi } from '../connection/own-api.ts';
import type { CommitAnswer, CommitEntry, MemberIdentity } from '../ports/group-coordinator.ts';
import { groupByTopic } from '../ports/partition.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

export interface OffsetCommit {
  readonly groupId: string;
  readonly member: MemberIdentity;
  readonly entries: readonly CommitEntry[];
}

interface OffsetCommitAnswer {
  readonly throttleMs: number;
  readonly partitions: readonly CommitAnswer[];
}

/**
 * OffsetCommit with the instance id of a static member (version 7, Kafka 2.3), so that a commit of a static member
 * that was replaced is refused; kafkajs speaks version 5. Source:
 * https://kafka.apache.org/protocol#The_Messages_OffsetCommit
 */
export const offsetCommitApi: OwnApi<OffsetCommit, OffsetCommitAnswer> = {
  name: 'OffsetCommit',
  key: 8,
  versions: [7],
  flexibleFrom: 8,
  encode({ groupId, member, entries }) {
    const writer = new ByteWriter();
    return writer
      .string(groupId)
      .int32(member.generationId)
      .string(member.memberId)
      .string(member.groupInstanceId)
      .array(groupByTopic(entries), ({ topic, entries: partitions }) =>
        writer.string(topic).array(partitions, ({ partition, offset, metadata }) =>
          writer
            .int32(partition)
            .int64(offset)
            .int32(-1) // leader epoch: not kept
            .string(metadata),
        ),
      )
      .written();
  },
  decode(cursor) {
    const throttleMs = cursor.int32();
    const partitions = cursor
      .array(() => {
        const topic = cursor.string();
        return cursor.array(() => ({
          topic,
          partition: cursor.int32(),
          errorCode: cursor.int16(),
        }));
      })
      .flat();
    return { throttleMs, partitions };
  },
};
