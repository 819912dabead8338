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
export {
  eventTypeRegistry,
  eventTypes,
  topics,
  type EventTypeRegistry,
} from './events/event-types.ts';
export { EventTypesError, loadEventTypes } from './declared/load-event-types.ts';
export { withTopicPrefix } from './events/topic-prefix.ts';
export { productChange } from './events/product-change.ts';
export { categoryChange } from './events/category-change.ts';
export {
  isJsonObject,
  JsonNumber,
  parseAcceptedJson,
  parseJson,
  stringifyJson,
  type JsonObject,
  type JsonValue,
} from './json.ts';
export { JsonTextError, type JsonTextErrorCode } from './json-text-error.ts';
export { readingForm, storedForm } from './reading-form.ts';
export { maxJsonDepth, maxJsonKeys, requestLimits, type JsonLimits } from './json-text.ts';
export { currencyCodes } from './currency.ts';
export { amountFromText, amountToText, money, moneyAmount, type Money } from './money.ts';
export { entityId, entityVersion, maxAttributesBytes, moment, slug } from './entity-fields.ts';
export {
  product,
  productInput,
  productPatch,
  productStatuses,
  type Product,
  type ProductInput,
  type ProductPatch,
} from './product.ts';
export {
  category,
  categoryInput,
  categoryPatch,
  type Category,
  type CategoryInput,
  type CategoryPatch,
} from './category.ts';
export type { Entity, EntityTable, Row, StoredAggregate } from './aggregates/stored-aggregate.ts';
export { storedAggregates } from './aggregates/stored-aggregates.ts';
export { storedCategory } from './aggregates/stored-category.ts';
export { storedProduct } from './aggregates/stored-product.ts';
export { productTable } from './tables/product.ts';
export { categoryTable } from './tables/category.ts';
export { idempotencyKeyTable } from './tables/idempotency-key.ts';
export { maxEventBytes, outboxTable } from './tables/outbox.ts';
export { relaySlotTable } from './tables/relay-slot.ts';
export { operationTable } from './tables/operation.ts';
export { outboxSealTable } from './tables/outbox-seal.ts';
export { productSearchTable } from './tables/product-search.ts';
export { erasureTable } from './tables/erasure.ts';
export { searchProgressTable } from './tables/search-progress.ts';
export { documentSchemaOptions, eventJsonSchema, toDocumentSchema } from './json-schema.ts';
export { asyncApiDocument } from './asyncapi.ts';
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
