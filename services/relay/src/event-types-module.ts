import {
  EventTypesError,
  loadEventTypes as loadModule,
  type EventTypeRegistry,
} from '@outbound/contract';
import { eventTypes as builtIn } from '@outbound/schemas/event-types';
import { RelayError } from './errors.ts';

/**
 * The declarations that the relay routes by: those of this repository, or of a JavaScript module of yours.
 * @throws RelayError CONFIG_INVALID naming the module and what it lacks.
 */
export async function loadEventTypes(modulePath: string | undefined): Promise<EventTypeRegistry> {
  if (modulePath === undefined) return builtIn;
  try {
    return await loadModule(modulePath, 'RELAY_EVENT_TYPES');
  } catch (cause) {
    if (!(cause instanceof EventTypesError)) throw cause;
    throw new RelayError('CONFIG_INVALID', cause.message, { cause });
  }
}
