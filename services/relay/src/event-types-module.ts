import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventTypes as builtIn, type EventType } from '@outbound/schemas';
import { RelayError } from './errors.ts';

/**
 * The declarations that the relay routes by: those of this repository, or the export `eventTypes` of a JavaScript module of
 * yours, a `Map` from name to declaration (or an array of them), so that one relay serves any outbox.
 * @throws RelayError CONFIG_INVALID naming the module and what it lacks.
 */
export async function loadEventTypes(
  modulePath: string | undefined,
): Promise<ReadonlyMap<string, EventType>> {
  if (modulePath === undefined) return builtIn;
  let loaded: { eventTypes?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(modulePath)).href)) as typeof loaded;
  } catch (cause) {
    throw new RelayError(
      'CONFIG_INVALID',
      `the module ${modulePath} of RELAY_EVENT_TYPES cannot be loaded`,
      { cause },
    );
  }
  const declared =
    loaded.eventTypes instanceof Map ? [...loaded.eventTypes.values()] : loaded.eventTypes;
  if (!Array.isArray(declared) || declared.length === 0 || !declared.every(isEventType))
    throw new RelayError(
      'CONFIG_INVALID',
      `the module ${modulePath} of RELAY_EVENT_TYPES must export eventTypes, a non-empty Map or array of event type declarations with name, owner, dataType and routes`,
    );
  return new Map(declared.map((eventType) => [eventType.name, eventType]));
}

function isEventType(value: unknown): value is EventType {
  if (typeof value !== 'object' || value === null) return false;
  const { name, owner, dataType, routes } = value as Partial<Record<keyof EventType, unknown>>;
  return (
    typeof name === 'string' &&
    typeof owner === 'string' &&
    typeof dataType === 'string' &&
    Array.isArray(routes) &&
    routes.length > 0
  );
}
