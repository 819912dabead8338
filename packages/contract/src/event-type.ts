import type { z } from 'zod';

/** What a data change did: create, update, delete, or a snapshot that changes nothing. Source: Zalando rule 198. */
export type DataOp = 'C' | 'U' | 'D' | 'S';
export const dataOps = ['C', 'U', 'D', 'S'] as const satisfies readonly DataOp[];

/** What a route puts on its topic for a data_op: the outbox payload, a tombstone (null value), or nothing. */
export type RouteForm = 'value' | 'tombstone' | 'skip';

/** One topic that an event type goes to. The topic is created from this declaration and checked against it. */
export interface Route {
  /** Kafka topic name: `[a-z0-9.-]`, named for the event type, never for a team or a consumer. */
  readonly topic: string;
  readonly cleanupPolicy: 'delete' | 'compact';
  /** Fixed at creation: adding partitions later would move keys and break their order. */
  readonly partitions: number;
  /** How long records stay on a `delete` topic; deletions stay readable this long on a `compact` topic (`delete.retention.ms`). */
  readonly retentionMs: number;
  readonly forms: Readonly<Record<DataOp, RouteForm>>;
}

/** The declaration of one event type: the contract between the API, the relay and every consumer. */
export interface EventType<Value extends z.ZodType = z.ZodType> {
  /** `<functional-name>.<event-name>[.v<major>]` (Zalando rule 213); also the outbox column `type`. */
  readonly name: string;
  /** `data`: a change of one entity, with its full state (rule 198). `general`: a business event. */
  readonly category: 'data' | 'general';
  /** The application that owns the contract (rule 207). */
  readonly owner: string;
  readonly audience:
    | 'component-internal'
    | 'business-unit-internal'
    | 'company-internal'
    | 'external-partner'
    | 'external-public';
  /** Semantic version of the schema; `metadata.version` on the wire. Not the entity's version. */
  readonly version: string;
  /** `data_type` on the wire and the outbox column `aggregatetype`, for example `shop.order`. */
  readonly dataType: string;
  /** Schema of the record's whole value, metadata included. */
  readonly value: Value;
  /** Where the ordering key is (rule 242): always the entity's version. */
  readonly orderingKeyFields: readonly string[];
  readonly orderingInstanceIds: readonly string[];
  readonly compatibilityMode: 'compatible' | 'forward' | 'none';
  readonly routes: readonly Route[];
}

/**
 * Checks a declaration and gives it back, so that a wrong one fails where it is written.
 * @throws Error naming the event type and the field that breaks a rule.
 */
export function defineEventType<Value extends z.ZodType>(
  declared: EventType<Value>,
): EventType<Value> {
  const refuse = (why: string): never => {
    throw new Error(`event type ${declared.name}: ${why}`);
  };
  if (!/^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+(\.v[0-9]+)?$/.test(declared.name))
    refuse('the name must be <functional-name>.<event-name>[.v<major>]');
  if (!/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.test(declared.version))
    refuse(`version ${declared.version} is not semver`);
  if (declared.routes.length === 0) refuse('it has no route, so its events would go nowhere');
  const topics = new Set<string>();
  for (const route of declared.routes) {
    if (!/^[a-z][a-z0-9.-]{0,200}$/.test(route.topic))
      refuse(`topic ${route.topic} is not a topic name ([a-z0-9.-])`);
    if (topics.has(route.topic)) refuse(`topic ${route.topic} is routed to twice`);
    topics.add(route.topic);
    if (!Number.isInteger(route.partitions) || route.partitions < 1)
      refuse(`topic ${route.topic} needs at least one partition`);
    if (route.cleanupPolicy === 'delete' && dataOps.some((op) => route.forms[op] === 'tombstone'))
      refuse(`topic ${route.topic} is not compacted, so a tombstone means nothing there`);
  }
  return Object.freeze(declared);
}

/** Every change on a time-retained topic, as Zalando's data-change category wants it. */
export function changeRoute(
  topic: string,
  { partitions, retentionMs }: { partitions: number; retentionMs: number },
): Route {
  return {
    topic,
    cleanupPolicy: 'delete',
    partitions,
    retentionMs,
    forms: { C: 'value', U: 'value', D: 'value', S: 'value' },
  };
}

/** The current state per key on a compacted topic; a deletion becomes a tombstone that stays readable for `retentionMs`. */
export function stateRoute(
  topic: string,
  { partitions, retentionMs }: { partitions: number; retentionMs: number },
): Route {
  return {
    topic,
    cleanupPolicy: 'compact',
    partitions,
    retentionMs,
    forms: { C: 'value', U: 'value', D: 'tombstone', S: 'value' },
  };
}
