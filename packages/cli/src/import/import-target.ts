import { documentSchemaOptions } from '@outbound/contract';
import { categoryInput, productInput } from '@outbound/schemas';
import { z } from 'zod';
import type { FieldKind } from './cell-value.ts';

/** What rows become. */
export interface ImportTarget {
  /** Plural, as in the path of the API: `products`. */
  readonly name: string;
  readonly path: string;
  /** What the API takes for one of them. */
  readonly input: z.ZodType;
}

/** Everything that can be imported, by name: what the API has a batch route for. */
export const importTargets: ReadonlyMap<string, ImportTarget> = new Map(
  Object.entries({ products: productInput, categories: categoryInput }).map(([name, input]) => [
    name,
    { name, path: `/${name}/batch`, input },
  ]),
);

/** The fields of a target. */
export interface TargetFields {
  /**
   * Of the field at this path (`price.amount`); undefined if there can be none. Whatever is inside an open object is
   * text.
   */
  kindOf(path: string): FieldKind | undefined;
  /** Paths of the fields on the first level that a row has to have. */
  readonly required: readonly string[];
  /**
   * Names of the members that the object at this path can have, the whole being at ``; undefined where it takes all, or
   * is no object.
   */
  membersIn(path: string): ReadonlySet<string> | undefined;
  /** Names of the members that the object at this path has to have; none where it is open, or no object. */
  requiredIn(path: string): readonly string[];
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** Reads the fields off the schema that the API validates with. */
export function targetFields({ input }: ImportTarget): TargetFields {
  const schema = z.toJSONSchema(input, { ...documentSchemaOptions, io: 'input' }) as JsonSchema;
  return {
    required: schema.required ?? [],
    membersIn: (path) => {
      const { properties } = (path === '' ? schema : schemaAt(schema, path)) ?? {};
      return properties && new Set(Object.keys(properties));
    },
    requiredIn: (path) => schemaAt(schema, path)?.required ?? [],
    kindOf: (path) => {
      const at = schemaAt(schema, path);
      if (at === undefined) return undefined;
      if (at.type === 'number' || at.type === 'integer') return 'number';
      if (at.type === 'boolean') return 'boolean';
      return at.type === 'object' || at.type === 'array' ? 'json' : 'string';
    },
  };
}

/** An object whose members nobody declared takes all, and each of them as text. */
function schemaAt(root: JsonSchema, path: string): JsonSchema | undefined {
  let at = root;
  for (const step of path.split('.')) {
    if (at.properties === undefined) return at.type === 'object' ? { type: 'string' } : undefined;
    const next = Object.hasOwn(at.properties, step) ? at.properties[step] : undefined;
    if (next === undefined) return undefined;
    at = next;
  }
  return at;
}
