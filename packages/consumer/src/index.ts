export { ConsumerError, consumerRemedies, type ConsumerErrorCode } from './errors.ts';
export type {
  ConsumedEvent,
  DataOf,
  RecordPlace,
  TombstoneEvent,
  ValueEvent,
  ValueOf,
} from './events/consumed-event.ts';
export {
  parseRecord,
  type ParsedRecord,
  type UnknownVersionPolicy,
} from './events/parse-record.ts';
export { applyOnce, type ApplyOnceOptions } from './inbox/apply-once.ts';
export { inboxDdl, type InboxTables } from './inbox/inbox-ddl.ts';
export { inboxHousekeeping } from './inbox/inbox-housekeeping.ts';
export { createMemoryInbox, type MemoryInbox } from './inbox/memory-inbox.ts';
export type { ApplyOutcome, SeenEvent } from './inbox/seen-event.ts';
export { partitionKey, type KafkaRecord } from '@outbound/kafka';
export type { ReadOptions } from './topic-reader/read-options.ts';
export type { ReadSummary } from './topic-reader/read-summary.ts';
export { readTopics, readTopicsWith, type ReadTopicsOptions } from './topic-reader/read-topics.ts';
export type { ReadPorts } from './topic-reader/topic-reading.ts';
export type { OvertakenRange, PartitionRange } from './topic-reader/topic-record.ts';
export { deadLetterHeader } from '@outbound/contract';
export {
  createMemoryParkedKeys,
  type ParkedEvent,
  type ParkedKeys,
  type ParkedPlace,
  type ParkOwner,
  type ParkScope,
} from './dead-letters/parked-keys.ts';
export { deadLetterOf, type DeadLetter } from './dead-letters/dead-letter.ts';
export { openKafkaRedrive, type KafkaRedrive } from './dead-letters/kafka-redrive.ts';
export {
  queueName,
  redriveTopic,
  type LetterOffsets,
  type LetterQueue,
  RedriveBook,
  type RedriveProgress,
  type RedriveRequest,
} from './dead-letters/redrive-journal.ts';
export type { RedrivePort } from './dead-letters/redrive-port.ts';
export { createPgParkedKeys, parkedKeyDdl } from './dead-letters/pg-parked-keys.ts';
export type { BatchLimits } from './subscribe/batch-due.ts';
export type { HandleBatch, HandleEvent, HandlerContext, RetryPolicy } from './subscribe/handler.ts';
export type { PartitionLag } from './subscribe/lag.ts';
export type { FailurePolicy } from './subscribe/poison-desk.ts';
export { consumerMetrics, type ConsumerMetrics } from './subscribe/consumer-metrics.ts';
export type { SubscriptionPorts } from './subscribe/subscription-ports.ts';
export { subscribe } from './subscribe/subscribe.ts';
export type {
  GroupOptions,
  SubscribeOptions,
  SubscriptionOptions,
} from './subscribe/subscribe-options.ts';
export { subscribeWith } from './subscribe/subscribe-with.ts';
export type {
  Subscription,
  SubscriptionCounts,
  SubscriptionState,
} from './subscribe/subscription.ts';
export { onTopic, type TopicHandling, type TopicSubscription } from './subscribe/topic-handling.ts';
export type { VersionGap } from './subscribe/version-gaps.ts';
export type { WaitingLimits } from './subscribe/waiting-limits.ts';
export {
  rebuildAndFollow,
  rebuildWith,
  type RebuildOptions,
} from './rebuild/rebuild-and-follow.ts';
export type { CaughtUp, RebuildWithOptions } from './rebuild/rebuild-options.ts';
export type { RebuildProgress } from './rebuild/rebuild-progress.ts';
export type { ResumePlan } from './rebuild/resume-plan.ts';
export { openFileStore } from './stores/file-store.ts';
export { createMemoryStore, type MemoryStore, type StoredState } from './stores/memory-store.ts';
export { openPostgresStore } from './stores/postgres-store.ts';
export type { StorePool } from './stores/store-pool.ts';
export type {
  StateBatch,
  StateEntry,
  StatePosition,
  StateStore,
  StorePositions,
} from './stores/state-store.ts';
export { stateTableDdl } from './stores/state-tables.ts';
