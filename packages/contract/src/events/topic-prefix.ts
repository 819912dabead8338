import type { EventTypeRegistry } from './event-types.ts';

/**
 * The event types with `prefix` before the topic of every route: the one place where a topic prefix is applied, so that
 * publishing, checks, provisioning and reading always mean the same topics.
 */
export function withTopicPrefix(eventTypes: EventTypeRegistry, prefix: string): EventTypeRegistry {
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
