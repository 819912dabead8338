export { ConsumerError, type ConsumerErrorCode } from './errors.ts';
export { createKafkaClient } from './kafka-client.ts';
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
  type InboundRecord,
  type ParsedRecord,
  type UnknownVersionPolicy,
} from './events/parse-record.ts';
export { tolerantSchema } from './events/tolerant-schema.ts';
export { applyOnce, type ApplyOnceOptions } from './inbox/apply-once.ts';
export { inboxDdl, type InboxTables } from './inbox/inbox-ddl.ts';
export { inboxHousekeeping } from './inbox/inbox-housekeeping.ts';
export { createMemoryInbox, type MemoryInbox } from './inbox/memory-inbox.ts';
export type { ApplyOutcome, SeenEvent } from './inbox/seen-event.ts';
export {
  readTopics,
  type ReadSummary,
  type ReadTopicsOptions,
} from './topic-reader/read-topics.ts';
export {
  partitionKey,
  type PartitionRange,
  type TopicRecord,
} from './topic-reader/topic-record.ts';
