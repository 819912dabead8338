import { maxJsonDepth, maxJsonKeys, parseJson, type JsonLimits } from '@outbound/contract';
import type { z } from 'zod';
import type { Aggregate } from '../catalog/aggregate.ts';
import type { BulkItem, Target } from '../catalog/bulk/bulk-item.ts';
import { checkSent } from '../catalog/entity-change.ts';
import { parseEntityTags, type EntityTags } from '../catalog/entity-tag.ts';
import type { Preconditions } from '../catalog/preconditions.ts';
import { ApiError } from '../errors.ts';
import { toViolations } from '../violations.ts';
import type { BatchItem } from './batch-body.ts';
import { envelopesOf, keyOf, putItem, targetedItem } from './batch-envelopes.ts';
import { toApiError } from './json-body.ts';
import { assertChosenId, readEntityId } from './entity-id.ts';

/** A batch route: what it is called, and what an item of it is. */
export interface BatchKind {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the plural behind it, the operationId. */
  readonly operation: string;
  readonly summary: (plural: string) => string;
  /** An item for the document, and its envelope as it is checked first. */
  readonly item: (aggregate: Aggregate) => z.ZodType;
  /** An item that is taken as it stands, after what the examples before it have left. */
  readonly example: (aggregate: Aggregate) => unknown;
  /** Where in an item the fields of the entity are, as a JSON pointer. */
  readonly fieldsAt: '' | '/data' | '/patch';
  /** What one item may hold. */
  readonly limits: JsonLimits;
  /** @throws ApiError that refuses the item */
  readonly read: (aggregate: Aggregate, item: unknown) => BulkItem;
}

/** Of an item with an envelope around its fields. */
const enveloped: JsonLimits = { depth: maxJsonDepth + 1, keys: maxJsonKeys + 8 };
/** As many as a PUT by itself may have (`maxKeys` of its route), which puts back what was read. */
const putBack: JsonLimits = { depth: maxJsonDepth + 1, keys: 16_384 + 8 };

export const batchKinds: readonly BatchKind[] = [
  {
    method: 'POST',
    operation: 'create',
    summary: (plural) => `Creates up to 1,000 ${plural}; one bad item does not fail its neighbours`,
    item: ({ input }) => input,
    example: ({ examples }) => examples.input,
    fieldsAt: '',
    limits: { depth: maxJsonDepth, keys: maxJsonKeys },
    read: ({ input }, item) => {
      const { success, data, error } = input.safeParse(item);
      if (success) return { op: 'create', input: data };
      throw new ApiError('VALIDATION_FAILED', 'The item breaks the schema; see violations.', {
        violations: toViolations('body', error.issues),
      });
    },
  },
  {
    method: 'PUT',
    operation: 'put',
    summary: (plural) =>
      `Replaces or creates up to 1,000 ${plural}, each by id or by its unique key`,
    item: ({ input }) => putItem(input),
    example: ({ examples }) => ({ upsert: true, data: examples.input }),
    fieldsAt: '/data',
    limits: putBack,
    read: readPut,
  },
  {
    method: 'PATCH',
    operation: 'patch',
    summary: (plural) =>
      `Changes some fields of up to 1,000 ${plural} (RFC 7396), each by id or by its unique key`,
    item: (aggregate) => targetedItem(aggregate).extend({ patch: aggregate.patch }),
    example: (aggregate) => ({ ...exampleTarget(aggregate), patch: aggregate.examples.patch }),
    fieldsAt: '/patch',
    limits: enveloped,
    read: (aggregate, item) => {
      const { patch, ...rest } = openEnvelope(envelopesOf(aggregate).patch, item);
      const checked = aggregate.patch.safeParse(patch);
      if (!checked.success)
        throw new ApiError('VALIDATION_FAILED', 'The item breaks the schema; see violations.', {
          violations: below('/patch', toViolations('body', checked.error.issues)),
        });
      return { op: 'patch', ...readTargeted(aggregate, rest), patch: checked.data };
    },
  },
  {
    method: 'DELETE',
    operation: 'delete',
    summary: (plural) => `Deletes up to 1,000 ${plural}, each by id or by its unique key`,
    item: targetedItem,
    example: exampleTarget,
    fieldsAt: '',
    limits: enveloped,
    read: (aggregate, item) => ({
      op: 'delete',
      ...readTargeted(aggregate, openEnvelope(envelopesOf(aggregate).targeted, item)),
    }),
  },
];

/** One item as it is done; what is wrong with it is its own. */
export function readItem(kind: BatchKind, aggregate: Aggregate, item: BatchItem): BulkItem {
  try {
    return kind.read(aggregate, parseJson(item.text, kind.limits));
  } catch (thrown) {
    const error = toApiError(thrown);
    if (error instanceof ApiError) return { error };
    throw error;
  }
}

/** Violations of what is at a pointer within the item. */
export function below<Each extends { readonly in: string; readonly pointer: string }>(
  at: string,
  violations: readonly Each[],
): readonly Each[] {
  return violations.map((each) =>
    each.in === 'body' ? { ...each, pointer: at + each.pointer } : each,
  );
}

function exampleTarget(aggregate: Aggregate): Readonly<Record<string, unknown>> {
  const key = keyOf(aggregate) ?? 'id';
  return { [key]: aggregate.examples.input[key], if_match: '*' };
}

function readPut(aggregate: Aggregate, item: unknown): BulkItem {
  const {
    id,
    if_match,
    if_none_match,
    upsert: isUpsert,
    data,
  } = openEnvelope(envelopesOf(aggregate).put, item);
  const conditions: Preconditions = {
    ...(if_match === undefined ? {} : { ifMatch: readTags('if_match', if_match) }),
    ...(if_none_match === undefined
      ? {}
      : { ifNoneMatch: readTags('if_none_match', if_none_match) }),
  };
  const isConditional = conditions.ifMatch !== undefined || conditions.ifNoneMatch !== undefined;
  if (isUpsert === true && isConditional)
    throw refusal('/upsert', 'goes without if_match and if_none_match');
  if (isUpsert !== true && conditions.ifMatch === undefined && conditions.ifNoneMatch !== '*')
    throw new ApiError(
      'PRECONDITION_REQUIRED',
      'Give the item "if_match" with the ETag of the version that it replaces, "if_none_match": "*" to create, or "upsert": true for whatever is there.',
    );
  const target = id === undefined ? targetByKey(aggregate, data) : { id: readId(id) };
  if ('id' in target && conditions.ifMatch === undefined) readId(target.id, assertChosenId);
  return { op: 'put', target, conditions, body: data, sent: sentIn(aggregate, data) };
}

/** Without an id, the key that the fields have says which entity is meant. */
function targetByKey(aggregate: Aggregate, data: unknown): Target {
  const key = keyOf(aggregate);
  const value =
    key !== undefined && typeof data === 'object' && data !== null
      ? (data as Readonly<Record<string, unknown>>)[key]
      : undefined;
  if (key !== undefined && typeof value === 'string') return { key: value };
  throw refusal(
    key === undefined ? '/id' : `/data/${key}`,
    'is needed to know which entity is meant, or an id',
  );
}

function sentIn({ input }: Aggregate, data: unknown) {
  try {
    return checkSent(input, data);
  } catch (error) {
    if (error instanceof ApiError && error.violations !== undefined)
      throw new ApiError(error.code, error.message, {
        violations: below('/data', error.violations),
      });
    throw error;
  }
}

function readTargeted(
  aggregate: Aggregate,
  item: Readonly<Record<string, unknown>>,
): { readonly target: Target; readonly conditions: Preconditions } {
  const { id, if_match } = item;
  const key = keyOf(aggregate);
  const value = key === undefined ? undefined : item[key];
  if ((id === undefined) === (value === undefined))
    throw refusal(
      '/id',
      key === undefined ? 'is needed' : `is needed, or else ${key}, and not both`,
    );
  const target = typeof id === 'string' ? { id: readId(id) } : { key: String(value) };
  if (typeof if_match !== 'string')
    throw new ApiError(
      'PRECONDITION_REQUIRED',
      'Give the item "if_match" with the ETag of the version that it changes, or "*".',
    );
  return { target, conditions: { ifMatch: readTags('if_match', if_match) } };
}

function openEnvelope<Schema extends z.ZodObject>(schema: Schema, item: unknown): z.output<Schema> {
  const opened = schema.safeParse(item);
  if (opened.success) return opened.data;
  throw new ApiError('VALIDATION_FAILED', 'The item breaks the schema; see violations.', {
    violations: toViolations('body', opened.error.issues),
  });
}

function readTags(field: string, text: string): EntityTags {
  try {
    return parseEntityTags(field, text);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw refusal(`/${field}`, 'expected * or a list of quoted entity tags, such as "\\"3\\""');
  }
}

function readId(text: string, assert: (id: string) => void = () => undefined): string {
  try {
    const id = readEntityId(text);
    assert(id);
    return id;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const message = error.violations?.[0]?.message ?? 'expected a UUID (RFC 9562)';
    throw new ApiError('INVALID_ID', `The id of the item is not acceptable: ${message}.`, {
      violations: [{ in: 'body', pointer: '/id', message }],
    });
  }
}

function refusal(pointer: string, message: string): ApiError {
  return new ApiError('VALIDATION_FAILED', 'The item breaks the schema; see violations.', {
    violations: [{ in: 'body', pointer, message }],
  });
}
