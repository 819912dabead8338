import {
  registrySubjects,
  schemaIdPrefix,
  type EventType,
  type SchemaRegistry,
} from '@outbound/contract';
import { RelayError } from '../errors.ts';

/** What stands before the values of an event type on a topic: its schema's id in Confluent's wire format. */
export type ValuePrefixes = ReadonlyMap<EventType, ReadonlyMap<string, Buffer>>;

/** Plain JSON everywhere. */
export const noPrefixes: ValuePrefixes = new Map();

/**
 * The prefixes for all routes, by the ids that the registry has given these very schemas. Read once, at the start: the schemas do not change while a relay runs,
 * and publishing never waits for a registry. It registers nothing: that is `outbound schemas publish`.
 * @throws RelayError CONFIG_INVALID naming the subject, if a schema is not registered or the registry does not answer.
 */
export async function registeredPrefixes(
  eventTypes: Iterable<EventType>,
  registry: Pick<SchemaRegistry, 'lookup'>,
): Promise<ValuePrefixes> {
  const prefixes = new Map<EventType, ReadonlyMap<string, Buffer>>();
  for (const eventType of eventTypes) {
    const byTopic = new Map<string, Buffer>();
    for (const { subject, topic, schema } of registrySubjects(eventType)) {
      const id = await registry.lookup(subject, schema).catch((cause: unknown) => {
        throw new RelayError(
          'CONFIG_INVALID',
          `the schema of ${eventType.name} ${eventType.version} is not to be had under ${subject} at RELAY_SCHEMA_REGISTRY_URL; register it with \`outbound schemas publish\` (${cause instanceof Error ? cause.message : String(cause)})`,
          { cause },
        );
      });
      byTopic.set(topic, schemaIdPrefix(id));
    }
    prefixes.set(eventType, byTopic);
  }
  return prefixes;
}
