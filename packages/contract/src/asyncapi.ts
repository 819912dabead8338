import { topics, type EventTypeRegistry } from './events/event-types.ts';
import type { EventType, Route } from './event-type.ts';
import { eventJsonSchema } from './json-schema.ts';
import { recordHeader } from './record-headers.ts';

const text = { type: 'string' } as const;

/** Every record's headers; names as on the wire. Source: CloudEvents Kafka binding, binary mode. */
const headers = {
  type: 'object',
  required: [
    recordHeader.specVersion,
    recordHeader.id,
    recordHeader.type,
    recordHeader.source,
    recordHeader.time,
    recordHeader.subject,
    recordHeader.contentType,
    recordHeader.dataOp,
    recordHeader.dataVersion,
    recordHeader.sourceLsn,
  ],
  properties: {
    [recordHeader.specVersion]: { ...text, enum: ['1.0'] },
    [recordHeader.id]: {
      ...text,
      format: 'uuid',
      description: 'Event id; the same on every repetition: deduplicate by it.',
    },
    [recordHeader.type]: { ...text, description: 'Name of the event type.' },
    [recordHeader.source]: text,
    [recordHeader.time]: { ...text, format: 'date-time' },
    [recordHeader.subject]: { ...text, description: 'Id of the entity; equals the record key.' },
    [recordHeader.contentType]: { ...text, enum: ['application/json'] },
    [recordHeader.dataOp]: { ...text, enum: ['C', 'U', 'D', 'S'] },
    [recordHeader.dataVersion]: {
      ...text,
      description: 'Version of the entity, as in the value; a tombstone has it here alone.',
    },
    [recordHeader.sourceLsn]: {
      ...text,
      description:
        'Where in the write-ahead log the event was committed; for the relay, not for consumers.',
    },
    [recordHeader.traceparent]: { ...text, description: 'W3C trace context of the request.' },
    [recordHeader.replay]: { ...text, enum: ['true'], description: 'Published again.' },
    [recordHeader.replayedAt]: { ...text, format: 'date-time' },
    [recordHeader.flowId]: { ...text, description: 'X-Flow-ID of the request.' },
  },
} as const;

/** Who publishes these events, for the reader of the document. Source: AsyncAPI 3, Info Object. */
export interface AsyncApiInfo {
  readonly title: string;
  /** Of the document; each message says the version of its own event type. */
  readonly version: string;
  readonly description: string;
  readonly contact: { readonly name: string; readonly url: string };
}

/**
 * The AsyncAPI 3 document of all topics: a channel for each route with its Kafka settings, a message for each event type,
 * and a tombstone where a route makes one.
 */
export function asyncApiDocument(
  eventTypes: EventTypeRegistry,
  info: AsyncApiInfo,
): Record<string, unknown> {
  const channels: Record<string, unknown> = {};
  const operations: Record<string, unknown> = {};
  const messages: Record<string, unknown> = {};
  for (const eventType of eventTypes.values()) {
    messages[eventType.name] = message(eventType);
    messages[`${eventType.name}.tombstone`] = tombstone(eventType);
  }
  for (const route of topics(eventTypes)) {
    const routed = [...eventTypes.values()].flatMap((eventType) =>
      messageNames(eventType, route.topic),
    );
    channels[route.topic] = channel(route, routed);
    operations[`receive-${route.topic}`] = {
      action: 'receive',
      channel: { $ref: `#/channels/${route.topic}` },
    };
  }
  return {
    asyncapi: '3.0.0',
    info,
    defaultContentType: 'application/json',
    channels,
    operations,
    components: { messages },
  };
}

function messageNames(eventType: EventType, topic: string): string[] {
  const route = eventType.routes.find((each) => each.topic === topic);
  if (!route) return [];
  const forms = Object.values(route.forms);
  return [
    ...(forms.includes('value') ? [eventType.name] : []),
    ...(forms.includes('tombstone') ? [`${eventType.name}.tombstone`] : []),
  ];
}

function channel(
  { topic, cleanupPolicy, partitions, retentionMs }: Route,
  routed: readonly string[],
): Record<string, unknown> {
  return {
    address: topic,
    description:
      cleanupPolicy === 'compact'
        ? 'The current state for each key; a deleted one is a tombstone.'
        : 'Every change, deletions included.',
    messages: Object.fromEntries(
      routed.map((name) => [name, { $ref: `#/components/messages/${name}` }]),
    ),
    bindings: {
      kafka: {
        topic,
        partitions,
        topicConfiguration: {
          'cleanup.policy': [cleanupPolicy],
          [cleanupPolicy === 'compact' ? 'delete.retention.ms' : 'retention.ms']: retentionMs,
        },
        bindingVersion: '0.5.0',
      },
    },
  };
}

function message(eventType: EventType): Record<string, unknown> {
  const { $schema: _, ...payload } = eventJsonSchema(eventType);
  return {
    name: eventType.name,
    contentType: 'application/json',
    headers,
    payload,
    bindings: keyBinding,
  };
}

function tombstone({ name, dataType }: EventType): Record<string, unknown> {
  return {
    name: `${name}.tombstone`,
    summary: `A ${dataType} was deleted: a record without a value.`,
    headers,
    payload: { type: 'null' },
    bindings: keyBinding,
  };
}

const keyBinding = {
  kafka: { key: { type: 'string', description: 'Id of the entity.' }, bindingVersion: '0.5.0' },
};
