import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { EventType } from '../event-type.ts';
import type { EventTypeRegistry } from '../events/event-types.ts';
import { eventTypesFaults } from './event-types-fault.ts';

/** A module that cannot be used; the message names it, the setting, and what it lacks. */
export class EventTypesError extends Error {
  override readonly name = 'EventTypesError';
}

/**
 * The declarations of somebody else's module: its export `eventTypes`, a `Map` from name to declaration or an array of them. So one relay, and
 * one command line, serve any outbox.
 * @param setting that names the module, for messages.
 * @throws EventTypesError
 */
export async function loadEventTypes(
  modulePath: string,
  setting: string,
): Promise<EventTypeRegistry> {
  const which = `the module ${modulePath} of ${setting}`;
  let loaded: { eventTypes?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(modulePath)).href)) as typeof loaded;
  } catch (cause) {
    throw new EventTypesError(`${which} cannot be loaded`, { cause });
  }
  const declared: unknown =
    loaded.eventTypes instanceof Map ? [...loaded.eventTypes.values()] : loaded.eventTypes;
  if (!Array.isArray(declared) || declared.length === 0)
    throw new EventTypesError(
      `${which} must export eventTypes, a non-empty Map or array of event type declarations with name, owner, dataType, version and routes`,
    );
  const faults = eventTypesFaults(declared);
  if (faults.length > 0)
    throw new EventTypesError(`${which} declares what cannot be published: ${faults.join('; ')}`);
  return new Map((declared as EventType[]).map((eventType) => [eventType.name, eventType]));
}
