export type { DecodedRecords } from './fetch/answer-reader.ts';
export { decodeRecords } from './fetch/decode-records.ts';
export {
  defaultFetchLimits,
  type FetchedRecords,
  type FetcherOptions,
  type FetchLimits,
  type OutOfRange,
  type TopicChange,
} from './fetch/fetcher-options.ts';
export { Fetcher, type FetchStart } from './fetch/fetcher.ts';
export type { Position } from './group/committer.ts';
export type { AssignedPartition, GroupMemberOptions } from './group/group-member-options.ts';
export { GroupMember } from './group/group-member.ts';
export type { MemberFacts, MemberState } from './group/member-state.ts';
export type { GroupTopicChange, TopicEvent } from './group/topic-view.ts';
export { KafkaError, kafkaRemedies, type KafkaErrorCode } from './kafka-error.ts';
export type {
  CommitAnswer,
  CommitEntry,
  CommittedOffset,
  GroupCoordinator,
  GroupProtocol,
  JoinAnswer,
  JoinedMember,
  JoinRequest,
  MemberIdentity,
  SyncAnswer,
} from './ports/group-coordinator.ts';
export type { KafkaReads } from './ports/kafka-reads.ts';
export { groupByTopic, partitionKey, type TopicPartition } from './ports/partition.ts';
export type { PartitionFacts, TopicFacts } from './ports/topic-facts.ts';
export type {
  AbortedTransaction,
  FetchedPartition,
  FetchPosition,
  FetchRequest,
  OffsetAnswer,
  OffsetAt,
  TopicLog,
} from './ports/topic-log.ts';
export type { KafkaRecord, RecordHeader } from './records/kafka-record.ts';
export { keyBytes, keyText } from './records/key-text.ts';
export { openKafkaReads } from './reads/open-kafka-reads.ts';
export { readOn } from './reads/read-on.ts';
export { readPartition } from './reads/read-partition.ts';
export { Cluster } from './cluster/cluster.ts';
export { TopicDirectory, type TopicSummary } from './cluster/topic-directory.ts';
export type { BrokerLink } from './connection/broker-link.ts';
export type { OwnApi } from './connection/own-api.ts';
export {
  errorFromCode,
  kafkaCode,
  refusesNamedRecords,
  refusesRecords,
  refusesSize,
  unknownTopicOrPartition,
} from './kafka-errors.ts';
export { BatchProducer, type BatchOutcome, type WrittenBatch } from './produce/batch-producer.ts';
export { openRecordSender, type RecordSender } from './produce/record-sender.ts';
export { gzipCompression } from './produce/gzip-compression.ts';
export { PartitionSequences, type PartitionBatch } from './produce/partition-sequences.ts';
export { fence, newProducer, type ProducerIdentity } from './produce/producer-identity.ts';
export {
  firstReservedEpoch,
  takeProducer,
  type FenceMemory,
  type ProducerQuestions,
} from './produce/take-producer.ts';
export {
  aloneInBatchBytes,
  batchOverhead,
  recordBound,
  type BatchCompression,
} from './produce/record-batch.ts';
export { explainConcurrent } from './produce/explain-concurrent.ts';
export {
  Transactions,
  type Committed,
  type OnWaiting,
  type TransactionsOptions,
} from './produce/transactions.ts';
export type { RecordToWrite } from './produce/record-to-write.ts';
export { ByteCursor } from './wire/byte-cursor.ts';
export { ByteSink } from './wire/byte-sink.ts';
export { ByteWriter } from './wire/byte-writer.ts';
export { crc32c } from './wire/crc32c.ts';
export { createTopics, type CreatedTopic, type NewTopic } from './admin/create-topics.ts';
export type { GroupFacts, GroupOffset } from './admin/group-admin.ts';
export {
  openKafkaAdmin,
  type AdminPartition,
  type ClusterFacts,
  type KafkaAdmin,
} from './admin/kafka-admin.ts';
export type { PartitionOffset } from './admin/topic-admin.ts';
export { describeConfigs, type TopicConfigs } from './admin/topic-configs.ts';
