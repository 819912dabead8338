import type { EventType } from '@outbound/contract';
import type { UnknownVersionPolicy } from '../events/parse-record.ts';
import type { BatchLimits } from './batch-due.ts';
import type { HandleBatch, HandleEvent } from './handler.ts';

/** One topic of a subscription: what its events are, and who handles them. */
export type TopicSubscription<Type extends EventType> = {
  /** Full name, prefix included: one of the topics that the event type is routed to. */
  readonly topic: string;
  /** The declaration that types and checks the events. */
  readonly eventType: Type;
  /** Defaults to `fail`. */
  readonly unknownVersion?: UnknownVersionPolicy;
} & (
  | { readonly handle: HandleEvent<Type>; readonly handleBatch?: never; readonly batch?: never }
  | {
      readonly handleBatch: HandleBatch<Type>;
      /** Defaults to 500 events, 1 MiB, 1 s. */
      readonly batch?: BatchLimits;
      readonly handle?: never;
    }
);

/** A topic whose handler is typed already: made by `onTopic`. */
export interface TopicHandling {
  readonly topic: string;
  readonly eventType: EventType;
  readonly unknownVersion: UnknownVersionPolicy;
  readonly handle: HandleEvent<EventType> | undefined;
  readonly handleBatch: HandleBatch<EventType> | undefined;
  /** Set with `handleBatch`. */
  readonly batch: BatchLimits | undefined;
  /** Each change of an entity is a record of this topic, so that a version that does not come was missed. */
  readonly hasEveryVersion: boolean;
}

const defaultBatch: BatchLimits = { maxEvents: 500, maxBytes: 1 << 20, maxWaitMs: 1_000 };

/** One of several topics of a subscription, with a handler that is typed by the topic's own event type. */
export function onTopic<Type extends EventType>(
  subscription: TopicSubscription<Type>,
): TopicHandling {
  const { topic, eventType, unknownVersion = 'fail', handle, handleBatch } = subscription;
  return {
    topic,
    eventType,
    unknownVersion,
    // A handler of this type's events is given no others: the two stay together from here on.
    handle,
    handleBatch,
    batch: handleBatch ? (subscription.batch ?? defaultBatch) : undefined,
    hasEveryVersion: hasEveryVersion(topic, eventType),
  };
}

/** Not of compacted topics, which keep the last version only, and not of topics that no route leads to: nobody says what they keep. */
function hasEveryVersion(topic: string, { routes }: EventType): boolean {
  // The declaration may be without the prefix that the topic has. The longest name is meant where one ends with another.
  const [route] = routes
    .filter((each) => topic.endsWith(each.topic))
    .sort((a, b) => b.topic.length - a.topic.length);
  return route?.cleanupPolicy === 'delete' && route.forms.U === 'value';
}
