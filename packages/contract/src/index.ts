export {
  changeRoute,
  dataOps,
  defineEventType,
  stateRoute,
  type DataOp,
  type EventType,
  type Route,
  type RouteForm,
} from './event-type.ts';
export { eventMetadata, type EventMetadata } from './event-metadata.ts';
export {
  deadLetterOf,
  discardRow,
  redriveRow,
  waitingLetters,
  type DeadLetter,
  type OutboxRowText,
} from './dead-letter.ts';
export { deadLetterHeader, outboxLetterHeader, parkedEntryHeader } from './dead-letter-headers.ts';
export {
  deadLetterTopics,
  maxDeadLetterBytes,
  type DeadLetterTopics,
} from './dead-letter-topics.ts';
export {
  isEventSql,
  letterMarkHeader,
  letterMarkOf,
  markHeaders,
  parkedEntryFromText,
  parkedEntryToText,
  parkedKeyText,
  type LetterMark,
  type ParkedEntry,
  type ParkedState,
} from './parked-state.ts';
export { eventHeaders, recordHeader, type EventFacts } from './record-headers.ts';
export { murmur2, partitionOf } from './partition-of.ts';
export {
  dataChangeEvent,
  type DataChangeEventType,
  type DataChangeValue,
} from './events/data-change-event.ts';
export { eventTypeRegistry, topics, type EventTypeRegistry } from './events/event-types.ts';
export { EventTypesError, loadEventTypes } from './declared/load-event-types.ts';
export { withTopicPrefix } from './events/topic-prefix.ts';
export { isJsonObject, parseAcceptedJson, parseJson, stringifyJson } from './json.ts';
export { JsonNumber, type JsonObject, type JsonValue } from './json-value.ts';
export { JsonTextError, stringFault, type JsonTextErrorCode } from './json-text-error.ts';
export { readingForm, storedForm } from './reading-form.ts';
export { maxJsonDepth, maxJsonKeys, requestLimits, type JsonLimits } from './json-text.ts';
export { documentSchemaOptions, eventJsonSchema, toDocumentSchema } from './json-schema.ts';
export { asyncApiDocument, type AsyncApiInfo } from './asyncapi.ts';
export {
  brokenBy,
  changeRules,
  levelOf,
  type ChangeKind,
  type Level,
  type Reader,
  type SchemaChange,
} from './compatibility/change.ts';
export { compareSchemas } from './compatibility/compare-schemas.ts';
export {
  changeText,
  judgeEventType,
  verdictOf,
  type EventTypeVerdict,
} from './compatibility/judge-event-type.ts';
export { judgeApi } from './compatibility/judge-api.ts';
export { readReleases } from './compatibility/read-releases.ts';
export { releaseOf, releasePath, type ReleasedSchema } from './compatibility/released-schema.ts';
export type { JsonSchema } from './compatibility/schema-node.ts';
export {
  declaredTopic,
  declaredTopics,
  maxMessageBytes,
  planTopics,
  replicationFor,
  topicDrift,
  type ActualTopic,
  type DeclaredTopic,
  type TopicDrift,
  type TopicPlan,
  type TopicToCreate,
} from './topic-plan.ts';
export {
  RegistryError,
  SchemaRegistry,
  type RegistryCompatibility,
  type RegistryOptions,
} from './registry/registry-client.ts';
export { opened, registrySubjects, type RegistrySubject } from './registry/registry-subject.ts';
export { schemaIdPrefix, withoutSchemaId } from './registry/wire-format.ts';
