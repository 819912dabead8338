import type { EventTypeRegistry } from '@outbound/contract';

/**
 * The topic that a person means: a declared topic or an event type by its plain name (the prefix is put before it; an
 * event type means its topic with every
 * change), a name with the prefix already before it, or any other topic as it is written.
 */
export function topicNamed(name: string, eventTypes: EventTypeRegistry, prefix: string): string {
  const declared = [...eventTypes.values()].flatMap(({ routes }) => routes);
  if (declared.some(({ topic }) => topic === name)) return `${prefix}${name}`;
  const routes = eventTypes.get(name)?.routes;
  const changes = routes?.find(({ cleanupPolicy }) => cleanupPolicy === 'delete') ?? routes?.[0];
  return changes === undefined ? name : `${prefix}${changes.topic}`;
}

/** The compacted topic of the event type that a topic belongs to, both with the prefix; undefined if there is none. */
export function stateTopicOf(
  topic: string,
  eventTypes: EventTypeRegistry,
  prefix: string,
): string | undefined {
  for (const { routes } of eventTypes.values()) {
    if (!routes.some((route) => `${prefix}${route.topic}` === topic)) continue;
    const state = routes.find(({ cleanupPolicy }) => cleanupPolicy === 'compact');
    if (state) return `${prefix}${state.topic}`;
  }
  return undefined;
}
