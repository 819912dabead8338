import { eventJsonSchema, type EventType, type EventTypeRegistry } from '@outbound/contract';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Server } from './server.ts';
import { answers } from './request-schemas.ts';

const declaration = z
  .object({
    name: z.string(),
    category: z.enum(['data', 'general']),
    owning_application: z.string(),
    audience: z.string(),
    compatibility_mode: z.string(),
    schema: z.object({
      version: z.string().describe('Semantic version.'),
      type: z.enum(['json_schema']),
      schema: z.record(z.string(), z.unknown()).describe('JSON Schema of the whole value.'),
    }),
    ordering_key_fields: z.array(z.string()),
    ordering_instance_ids: z.array(z.string()),
    routes: z.array(
      z.object({ topic: z.string(), cleanup_policy: z.string(), partitions: z.int() }),
    ),
  })
  .describe('Declaration of an event type (Zalando rules 197, 207, 245).');

/** `GET /event-types` and `GET /event-types/{name}`: what this service publishes. */
export function registerEventTypeRoutes(app: Server, eventTypes: EventTypeRegistry): void {
  const tags = ['event-types'];
  const config = { scope: 'catalog.event-type.read' };
  const declared = new Map([...eventTypes].map(([name, type]) => [name, toDeclaration(type)]));
  app.get(
    '/event-types',
    {
      config,
      schema: {
        summary: 'Lists the event types that this service publishes',
        operationId: 'list_event_types',
        tags,
        response: answers({ 200: z.object({ items: z.array(declaration) }) }),
      },
    },
    () => ({ items: [...declared.values()] }),
  );
  app.get(
    '/event-types/:name',
    {
      config,
      schema: {
        summary: 'Gives the declaration of an event type',
        operationId: 'get_event_type',
        tags,
        params: z.object({ name: z.string() }),
        response: answers({ 200: declaration }),
      },
    },
    (request) => {
      const found = declared.get(request.params.name);
      if (found !== undefined) return found;
      throw new ApiError(
        'NOT_FOUND',
        'There is no event type with this name. See GET /event-types.',
      );
    },
  );
}

function toDeclaration(eventType: EventType): z.output<typeof declaration> {
  return {
    name: eventType.name,
    category: eventType.category,
    owning_application: eventType.owner,
    audience: eventType.audience,
    compatibility_mode: eventType.compatibilityMode,
    schema: {
      version: eventType.version,
      type: 'json_schema',
      schema: eventJsonSchema(eventType),
    },
    ordering_key_fields: [...eventType.orderingKeyFields],
    ordering_instance_ids: [...eventType.orderingInstanceIds],
    routes: eventType.routes.map(({ topic, cleanupPolicy, partitions }) => ({
      topic,
      cleanup_policy: cleanupPolicy,
      partitions,
    })),
  };
}
