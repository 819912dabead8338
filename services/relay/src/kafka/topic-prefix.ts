import type { EventType } from '@outbound/schemas';

/**
 * The event types with `prefix` before the topic of every route: the one place where RELAY_TOPIC_PREFIX is applied, so that
 * publishing, checks and provisioning always mean the same topics.
 */
export function withTopicPrefix(
  eventTypes: ReadonlyMap<string, EventType>,
  prefix: string,
): ReadonlyMap<string, EventType> {
  if (prefix === '') return eventTypes;
  return new Map(
    Array.from(eventTypes, ([name, eventType]) => [
      name,
      {
        ...eventType,
        routes: eventType.routes.map((route) => ({ ...route, topic: `${prefix}${route.topic}` })),
      },
    ]),
  );
}
