import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventTypes as builtIn, type EventType } from '@outbound/schemas';
import { RelayError } from './errors.ts';
import { eventTypesFaults } from './event-types-fault.ts';

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
  const declared: unknown =
    loaded.eventTypes instanceof Map ? [...loaded.eventTypes.values()] : loaded.eventTypes;
  if (!Array.isArray(declared) || declared.length === 0)
    throw new RelayError(
      'CONFIG_INVALID',
      `the module ${modulePath} of RELAY_EVENT_TYPES must export eventTypes, a non-empty Map or array of event type declarations with name, owner, dataType, version and routes`,
    );
  const faults = eventTypesFaults(declared);
  if (faults.length > 0)
    throw new RelayError(
      'CONFIG_INVALID',
      `the module ${modulePath} of RELAY_EVENT_TYPES declares what cannot be published: ${faults.join('; ')}`,
    );
  return new Map((declared as EventType[]).map((eventType) => [eventType.name, eventType]));
}
