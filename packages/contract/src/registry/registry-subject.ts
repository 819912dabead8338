import type { EventType } from '../event-type.ts';
import { toDocumentSchema } from '../json-schema.ts';
import type { RegistryCompatibility } from './registry-client.ts';

/** What is registered for one topic of an event type. */
export interface RegistrySubject {
  /** `<topic>-value`. Source: Confluent's TopicNameStrategy. */
  readonly subject: string;
  readonly topic: string;
  readonly compatibility: RegistryCompatibility;
  readonly schema: Record<string, unknown>;
}

/**
 * The subjects of an event type, one for each topic that gets values. A registry's rules for JSON Schema know no reader that ignores unknown fields: it calls
 * an added optional field incompatible both ways but for a closed schema read by newer readers, or an open one read by older. So mode `compatible`
 * registers the closed schema under BACKWARD_TRANSITIVE and `forward` the open one under FORWARD; Zalando's rules are `judgeEventType`'s.
 */
export function registrySubjects(eventType: EventType): readonly RegistrySubject[] {
  // Draft 7: Apicurio's and Confluent's own reader of JSON Schema stops at a $schema that it does not know.
  const closed = { title: eventType.name, ...toDocumentSchema(eventType.value, 'draft-7') };
  const mode = eventType.compatibilityMode;
  const form: Pick<RegistrySubject, 'compatibility' | 'schema'> =
    mode === 'forward'
      ? { compatibility: 'FORWARD', schema: opened(closed) as Record<string, unknown> }
      : {
          compatibility: mode === 'compatible' ? 'BACKWARD_TRANSITIVE' : 'NONE',
          schema: closed,
        };
  return eventType.routes
    .filter(({ forms }) => Object.values(forms).includes('value'))
    .map(({ topic }) => ({ subject: `${topic}-value`, topic, ...form }));
}

/** The schema as a reader has it who ignores fields that he does not know. */
export function opened(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(opened);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, part]) => key !== 'additionalProperties' || part !== false)
      .map(([key, part]) => [key, opened(part)]),
  );
}
