export { decodeRecords, type DecodedRecords } from './fetch/decode-records.ts';
export {
  defaultFetchLimits,
  type FetchedRecords,
  type FetcherOptions,
  type FetchLimits,
  type OutOfRange,
  type TopicChange,
} from './fetch/fetcher-options.ts';
export { Fetcher, type FetchStart } from './fetch/fetcher.ts';
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
export { partitionKey, type TopicPartition } from './ports/partition.ts';
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
