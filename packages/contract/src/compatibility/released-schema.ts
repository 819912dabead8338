import { z } from 'zod';
import type { EventType } from '../event-type.ts';
import { eventJsonSchema } from '../json-schema.ts';

/** A schema that events were published under. Written once, never changed: consumers have built on it. */
export const releasedSchema = z.strictObject({
  event_type: z.string(),
  version: z.string(),
  compatibility_mode: z.enum(['compatible', 'forward', 'none']),
  schema: z.record(z.string(), z.unknown()),
});
export type ReleasedSchema = z.output<typeof releasedSchema>;

/** What a release of the event type, as it is declared now, writes down. */
export function releaseOf(eventType: EventType): ReleasedSchema {
  return {
    event_type: eventType.name,
    version: eventType.version,
    compatibility_mode: eventType.compatibilityMode,
    schema: eventJsonSchema(eventType),
  };
}

/** Where a release is kept, below the folder of all releases. */
export function releasePath({ event_type, version }: ReleasedSchema): string {
  return `${event_type}/${version}.json`;
}
