import type { EventType, Route } from '../event-type.ts';

/** Event types by name. A plain value that is passed in, so that a benchmark or a test can bring its own. */
export type EventTypeRegistry = ReadonlyMap<string, EventType>;

/**
 * A registry of these event types.
 * @throws Error if two have one name, or if two declare one topic differently.
 */
export function eventTypeRegistry(declared: readonly EventType[]): EventTypeRegistry {
  const registry = new Map<string, EventType>();
  for (const eventType of declared) {
    if (registry.has(eventType.name))
      throw new Error(`event type ${eventType.name} is declared twice`);
    registry.set(eventType.name, eventType);
  }
  topics(registry);
  return registry;
}

/**
 * The topics of all routes, each once, by name.
 * @throws Error if two event types declare one topic differently.
 */
export function topics(registry: EventTypeRegistry): readonly Route[] {
  const byName = new Map<string, Route>();
  for (const { name, routes } of registry.values()) {
    for (const route of routes) {
      const other = byName.get(route.topic);
      if (
        other &&
        (other.partitions !== route.partitions ||
          other.cleanupPolicy !== route.cleanupPolicy ||
          other.retentionMs !== route.retentionMs)
      )
        throw new Error(
          `event type ${name}: topic ${route.topic} is declared differently elsewhere`,
        );
      byName.set(route.topic, other ?? route);
    }
  }
  return [...byName.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}
