import { z } from 'zod';

/** The `metadata` of every event value. Source: Zalando rule 247. */
export const eventMetadata = z.strictObject({
  eid: z.uuid().describe('Event id; stable over every retry and republish (rule 211).'),
  event_type: z.string().describe('Name of the event type.'),
  occurred_at: z.iso.datetime().describe('When the change was made, by the clock of the API.'),
  version: z.string().describe("Semantic version of the event's schema, not of the entity."),
  flow_id: z.string().optional().describe('X-Flow-ID of the request that made the change.'),
});
export type EventMetadata = z.infer<typeof eventMetadata>;
