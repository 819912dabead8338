import type { BrokerFacts } from '../apis/metadata-api.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** Partitions by number, each with its leader and the leader's epoch. */
export interface TopicAnswer {
  readonly topic: string;
  readonly errorCode?: number;
  readonly leaders: readonly (readonly [nodeId: number, epoch: number])[];
}

/** A body of Metadata, version 7, as a broker writes it. */
export function metadataAnswer(
  brokers: readonly BrokerFacts[],
  topics: readonly TopicAnswer[] = [],
): Buffer {
  const writer = new ByteWriter();
  return writer
    .int32(0) // not throttled
    .array(brokers, ({ nodeId, host, port }) =>
      writer.int32(nodeId).string(host).int32(port).string(null),
    )
    .string('a cluster')
    .int32(-1)
    .array(topics, ({ topic, errorCode = 0, leaders }) =>
      writer
        .int16(errorCode)
        .string(topic)
        .boolean(false)
        .array([...leaders.entries()], ([partition, [nodeId, epoch]]) =>
          writer
            .int16(0)
            .int32(partition)
            .int32(nodeId)
            .int32(epoch)
            .array([nodeId], (each) => writer.int32(each))
            .array([nodeId], (each) => writer.int32(each))
            .int32(0),
        ),
    )
    .written();
}
