import { z } from 'zod';
import { eventMetadata } from '../event-metadata.ts';
import {
  changeRoute,
  dataOps,
  defineEventType,
  stateRoute,
  type EventType,
} from '../event-type.ts';

const dayMs = 86_400_000;

/** Value of a data-change event with this `data`. Source: Zalando rule 198. */
export type DataChangeValue<Data extends z.ZodType> = z.ZodObject<
  {
    metadata: typeof eventMetadata;
    data_op: z.ZodEnum<{ C: 'C'; U: 'U'; D: 'D'; S: 'S' }>;
    data_type: z.ZodEnum<Record<string, string>>;
    data: Data;
  },
  z.core.$strict
>;

/** An event type that reports every change of one kind of entity with its full state. */
export type DataChangeEventType<Data extends z.ZodType = z.ZodType> = EventType<
  DataChangeValue<Data>
>;

/**
 * Declares the event type `<dataType>-change` of an entity, with our two routes: every change on `<dataType>-change` (kept for seven days) and
 * the current state on `<dataType>` (compacted; a deletion stays readable for seven days, which bounds how slowly one may rebuild). From major version 2 on
 * name and topics end in `.v<major>` (Zalando rule 213): a breaking change is a new event type beside the old one.
 * @param declared.data the entity as REST shows it; it has `id` and `version`.
 * @throws Error naming the field, if the declaration breaks a rule.
 */
export function dataChangeEvent<Data extends z.ZodType>(declared: {
  /** `shop.order`. */
  readonly dataType: string;
  /** Semantic version of the schema. */
  readonly version: string;
  readonly owner: string;
  readonly data: Data;
  /** Fixed for the life of the topics. */
  readonly partitions: number;
}): DataChangeEventType<Data> {
  const { dataType, version, owner, data, partitions } = declared;
  const retention = { partitions, retentionMs: 7 * dayMs };
  const major = Number(version.split('.')[0]);
  const suffix = major > 1 ? `.v${major}` : '';
  return defineEventType({
    name: `${dataType}-change${suffix}`,
    category: 'data',
    owner,
    audience: 'company-internal',
    version,
    dataType,
    value: z.strictObject({
      metadata: eventMetadata,
      data_op: z
        .enum(dataOps)
        .describe(
          'C created, U updated, D deleted (data is the last state), S snapshot, no change.',
        ),
      // An enum and not a literal: the keyword `const` is not allowed in event schemas (rule 196).
      data_type: z.enum([dataType]).describe('What kind of entity `data` is.'),
      data,
    }),
    orderingKeyFields: ['data.version'],
    orderingInstanceIds: ['data.id'],
    compatibilityMode: 'compatible',
    routes: [
      changeRoute(`${dataType}-change${suffix}`, retention),
      stateRoute(`${dataType}${suffix}`, retention),
    ],
  });
}
