import type { Entity } from '@outbound/outbox';
import type { z } from 'zod';
import type { ApiError } from '../../errors.ts';
import type { Aggregate } from '../aggregate.ts';
import type { Preconditions } from '../preconditions.ts';

/** Which entity: by its id, or the live one with this value of the aggregate's first unique key. */
export type Target = { readonly id: string } | { readonly key: string };

interface Targeted {
  readonly target: Target;
  /** None: whatever is there. */
  readonly conditions: Preconditions;
}

/** One thing to do of many, checked as far as it can be without the database; or why it is refused. */
export type BulkItem =
  | { readonly error: ApiError }
  | { readonly op: 'create'; readonly input: unknown }
  | (Targeted & {
      readonly op: 'put';
      readonly body: unknown;
      /** What `checkSent` said of the body. */
      readonly sent: z.ZodSafeParseResult<unknown>;
    })
  | (Targeted & { readonly op: 'patch'; readonly patch: unknown })
  | (Targeted & { readonly op: 'delete' });

/** What became of one item. */
export type ItemOutcome =
  | { readonly did: 'created' | 'changed' | 'deleted'; readonly entity: Entity }
  | { readonly error: ApiError };

/** A value that is unique among live entities. */
export interface UniqueKey {
  readonly field: string;
  readonly value: string;
}

/** The keys that the fields of an input or a row are; what is no text is none. */
export function uniqueKeysOf({ uniqueKeys }: Aggregate, fields: unknown): readonly UniqueKey[] {
  if (typeof fields !== 'object' || fields === null) return [];
  const keys: UniqueKey[] = [];
  for (const { field } of uniqueKeys) {
    const value = (fields as Readonly<Record<string, unknown>>)[field];
    if (typeof value === 'string') keys.push({ field, value });
  }
  return keys;
}

/** The key that an item names its entity by, if it does. */
export function targetKey(aggregate: Aggregate, item: BulkItem): UniqueKey | undefined {
  const [first] = aggregate.uniqueKeys;
  if (first === undefined || 'error' in item || item.op === 'create' || 'id' in item.target)
    return undefined;
  return { field: first.field, value: item.target.key };
}

/** All keys that an item is about: the one that it names its entity by, and those that it would have. */
export function keysOfItem(aggregate: Aggregate, item: BulkItem): readonly UniqueKey[] {
  if ('error' in item) return [];
  const target = targetKey(aggregate, item);
  return [...(target === undefined ? [] : [target]), ...uniqueKeysOf(aggregate, fieldsOf(item))];
}

function fieldsOf(item: Exclude<BulkItem, { readonly error: ApiError }>): unknown {
  switch (item.op) {
    case 'create':
      return item.input;
    case 'put':
      return item.body;
    case 'patch':
      return item.patch;
    case 'delete':
      return undefined;
  }
}
