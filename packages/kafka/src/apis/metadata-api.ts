import type { OwnApi } from '../connection/own-api.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type { ByteCursor } from '../wire/byte-cursor.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** A broker at the address that it advertises. */
export interface BrokerFacts {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** The cluster as one of its brokers knows it. */
export interface ClusterDescription {
  readonly throttleMs: number;
  readonly clusterId: string;
  /** Node id of who takes changes; −1: none is known. */
  readonly controllerId: number;
  readonly brokers: readonly BrokerFacts[];
  readonly topics: readonly TopicFacts[];
}

/** Which topics are described; no topic is ever created by it. */
export type TopicChoice = readonly string[] | 'all';

/** What Kafka writes where a topic has no id, or is named. */
export const noTopicId = '0'.repeat(32);

/**
 * Metadata with topic ids (version 10, Kafka 2.8), or, where a broker does not have them, with leader epochs only
 * (version 7, Kafka 2.1). kafkajs speaks version 6, which has neither. Source:
 * https://kafka.apache.org/protocol#The_Messages_Metadata
 */
export const metadataApi: OwnApi<TopicChoice, ClusterDescription> = {
  name: 'Metadata',
  key: 3,
  versions: [10, 7],
  flexibleFrom: 9,
  encode(choice, version) {
    const names = choice === 'all' ? undefined : choice;
    const writer = new ByteWriter();
    if (version === 7) {
      if (names) writer.array(names, (name) => writer.string(name));
      else writer.int32(-1);
      return writer.boolean(false).written();
    }
    return writer
      .compactArray(names, (name) => writer.uuid(noTopicId).compactString(name).noTags())
      .boolean(false) // create none
      .boolean(false) // what we may do with the cluster
      .boolean(false) // what we may do with the topics
      .noTags()
      .written();
  },
  decode: (cursor, version) => (version === 7 ? decode7(cursor) : decode10(cursor)),
};

function decode7(cursor: ByteCursor): ClusterDescription {
  const throttleMs = cursor.int32();
  const brokers = cursor.array(() => {
    const broker = { nodeId: cursor.int32(), host: cursor.string(), port: cursor.int32() };
    cursor.nullableString(); // rack
    return broker;
  });
  const clusterId = cursor.string();
  const controllerId = cursor.int32();
  const nodes = () => cursor.array(() => cursor.int32());
  const topics = cursor.array(() => {
    const errorCode = cursor.int16();
    const topic = cursor.string();
    cursor.boolean(); // internal
    const partitions = cursor.array(() => {
      cursor.int16(); // its error is seen at the leader: −1
      const facts = partitionFacts(cursor, nodes);
      nodes();
      nodes();
      return facts;
    });
    return { topic, topicId: undefined, errorCode, partitions: byNumber(partitions) };
  });
  return { throttleMs, clusterId, controllerId, brokers, topics };
}

function decode10(cursor: ByteCursor): ClusterDescription {
  const throttleMs = cursor.int32();
  const brokers = cursor.compactArray(() => {
    const nodeId = cursor.int32();
    const host = cursor.compactNullableString() ?? '';
    const port = cursor.int32();
    cursor.compactNullableString(); // rack
    cursor.skipTags();
    return { nodeId, host, port };
  });
  const clusterId = cursor.compactNullableString() ?? '';
  const controllerId = cursor.int32();
  const nodes = () => cursor.compactArray(() => cursor.int32());
  const topics = cursor.compactArray(() => {
    const errorCode = cursor.int16();
    const topic = cursor.compactNullableString() ?? '';
    const id = cursor.slice(16).toString('hex');
    cursor.boolean(); // internal
    const partitions = cursor.compactArray(() => {
      cursor.int16(); // its error is seen at the leader: −1
      const facts = partitionFacts(cursor, nodes);
      nodes();
      nodes();
      cursor.skipTags();
      return facts;
    });
    cursor.int32(); // what we may do with it
    cursor.skipTags();
    const topicId = id === noTopicId ? undefined : id;
    return { topic, topicId, errorCode, partitions: byNumber(partitions) };
  });
  return { throttleMs, clusterId, controllerId, brokers, topics };
}

function partitionFacts(cursor: ByteCursor, nodes: () => number[]) {
  return {
    partition: cursor.int32(),
    leader: cursor.int32(),
    leaderEpoch: cursor.int32(),
    replicas: nodes(),
  };
}

function byNumber<Facts extends { readonly partition: number }>(partitions: Facts[]): Facts[] {
  return partitions.sort((a, b) => a.partition - b.partition);
}
