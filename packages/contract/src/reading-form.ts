import { z } from 'zod';

type Schema = z.core.$ZodType;
type Check = z.core.$ZodCheck<never>;
type Def = z.core.$ZodTypes['_zod']['def'];

/**
 * The schema as a reader has to take it: shape and types. Objects are open at any depth and keep what they do not know (Zalando rule 108: clients ignore unknown
 * fields), and what only limits what may be sent (lengths, patterns, formats, refinements, with them lists of codes such as the currencies) is not asked again: what was published is there.
 * What the declaration accepts, this accepts with the same output. An `enum` is part of the type and stays: a change of it is another event type (rule 209).
 * Two things keep their checks, because code of the declaration relies on them: what goes into a `transform`, `pipe` or codec, and the format `url`, which rewrites its value.
 * The input is not changed; the same input gives the same output.
 */
export function readingForm<Form extends z.ZodType>(schema: Form): Form {
  return readers.of(schema, false) as unknown as Form;
}

/**
 * The schema as a stored row may be, written under whatever rules held then: `readingForm`, and values of an `enum` that are no longer among those that may be sent.
 * Its output may so be wider than its type: for checking, not for reading.
 */
export function storedForm(schema: z.ZodType): z.ZodType {
  return rows.of(schema, false) as z.ZodType;
}

/** Derives one form of schemas, each once. */
class Derivation {
  readonly #opensEnums: boolean;
  /** undefined: it is being derived. */
  readonly #free = new WeakMap<Schema, Schema | undefined>();
  readonly #guarded = new WeakMap<Schema, Schema | undefined>();

  constructor({ opensEnums }: { readonly opensEnums: boolean }) {
    this.#opensEnums = opensEnums;
  }

  /** @param isGuarded code of the declaration takes the output: its checks stay. */
  of(schema: Schema, isGuarded: boolean): Schema {
    const known = isGuarded ? this.#guarded : this.#free;
    if (!known.has(schema)) {
      known.set(schema, undefined);
      known.set(schema, this.#derive(schema, isGuarded));
    }
    // A schema that is met again inside itself: there is nothing to point to before it is whole.
    return known.get(schema) ?? z.lazy(() => known.get(schema) ?? schema);
  }

  #derive(schema: Schema, isGuarded: boolean): Schema {
    const def = schema._zod.def as Def;
    const inner = (each: Schema): Schema => this.of(each, isGuarded);
    const changed = (changes: object): Schema => rebuilt(schema, def, changes, isGuarded);
    switch (def.type) {
      case 'object':
        return changed({
          shape: derivedShape(declaredShape(def), inner),
          catchall: openCatchall(def.catchall, inner),
        });
      case 'array':
        return changed({ element: inner(def.element) });
      case 'tuple':
        return changed({
          items: def.items.map(inner),
          rest: def.rest === null ? z.unknown() : inner(def.rest),
        });
      case 'record':
        return changed({
          keyType: inner(def.keyType),
          valueType: inner(def.valueType),
          mode: 'loose',
        });
      case 'map':
        return changed({ keyType: inner(def.keyType), valueType: inner(def.valueType) });
      case 'set':
        return changed({ valueType: inner(def.valueType) });
      case 'union':
        // As it is first: open objects of two options may both fit, and the first would take what was meant for the other.
        return z.union([schema, ...def.options.map(inner)]);
      case 'intersection':
        // As it is first: what one side rewrites, the other would keep as unknown, and the two could not be merged.
        return z.union([schema, this.#intersection(schema, def, isGuarded)]);
      case 'optional':
      case 'nullable':
      case 'nonoptional':
      case 'default':
      case 'prefault':
      case 'catch':
      case 'readonly':
      case 'promise':
        return changed({ innerType: inner(def.innerType) });
      case 'pipe':
        return changed({ in: this.of(def.in, true), out: inner(def.out) });
      case 'lazy':
        return z.lazy(() => inner(def.getter()));
      case 'string':
        return isGuarded ? schema : plainString(schema, def);
      case 'enum':
        return this.#opensEnums && !isGuarded ? anyOfItsKind(def.entries) : changed({});
      case 'success':
      case 'function':
      case 'transform':
        // The first answers with true or false and refuses nothing; the others have no places of data.
        return schema;
      case 'number':
      case 'boolean':
      case 'bigint':
      case 'date':
      case 'symbol':
      case 'undefined':
      case 'null':
      case 'any':
      case 'unknown':
      case 'never':
      case 'void':
      case 'literal':
      case 'template_literal':
      case 'nan':
      case 'file':
      case 'custom':
        return changed({});
      default: {
        const unheardOf: never = def;
        throw new TypeError(`zod has a kind of schema that is not known here: ${kind(unheardOf)}`);
      }
    }
  }

  /** Two objects become one, so that neither takes the members of the other for unknown ones. */
  #intersection(
    schema: Schema,
    def: z.core.$ZodIntersectionDef,
    isGuarded: boolean,
  ): z.core.$ZodType {
    const left = def.left._zod.def as Def;
    const right = def.right._zod.def as Def;
    const inner = (each: Schema): Schema => this.of(each, isGuarded);
    if (left.type !== 'object' || right.type !== 'object')
      return rebuilt(schema, def, { left: inner(def.left), right: inner(def.right) }, isGuarded);
    const shape: Record<string, Schema> = { ...left.shape };
    for (const [name, member] of Object.entries<Schema>(right.shape)) {
      const other = shape[name];
      shape[name] = other === undefined ? member : z.intersection(other, member);
    }
    const checks = [...(left.checks ?? []), ...(right.checks ?? []), ...(def.checks ?? [])];
    return new z.ZodObject({
      type: 'object',
      shape: derivedShape(shape, inner),
      catchall: z.unknown(),
      checks: isGuarded ? checks : [],
    });
  }
}

const readers = new Derivation({ opensEnums: false });
const rows = new Derivation({ opensEnums: true });

/** A copy with these changes, without the checks that limit. Properties are copied, not read: a default may be made anew at each reading. */
function rebuilt(schema: Schema, def: Def, changes: object, isGuarded: boolean): Schema {
  const checks = isGuarded ? {} : { checks: (def.checks ?? []).filter(isNoLimit) };
  const copy = Object.defineProperties(
    {},
    {
      ...Object.getOwnPropertyDescriptors(def),
      ...Object.getOwnPropertyDescriptors({ ...checks, ...changes }),
    },
  );
  return z.core.clone(schema, copy as Def);
}

/** True for what makes a type (an integer) or changes the value (`trim`), and refuses nothing else. */
function isNoLimit(check: Check): boolean {
  const { def } = check._zod;
  if (def.check === 'string_format') return (def as { readonly format?: string }).format === 'url';
  return ['overwrite', 'number_format', 'bigint_format'].includes(def.check);
}

function plainString(schema: Schema, def: z.core.$ZodStringDef): Schema {
  const { format } = def as { readonly format?: string };
  if (format === undefined || format === 'url') return rebuilt(schema, def, {}, false);
  return new z.ZodString({
    type: 'string',
    checks: (def.checks ?? []).filter(isNoLimit),
    ...(def.coerce === undefined ? {} : { coerce: def.coerce }),
  });
}

/** A member that is declared by a getter, because the object may be a member of itself, is derived by one: when it is first asked for. */
function derivedShape(shape: object, inner: (member: Schema) => Schema): object {
  const derived = {};
  for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(shape)))
    Object.defineProperty(derived, name, {
      enumerable: true,
      ...('get' in member
        ? { get: () => inner(Reflect.get(shape, name) as Schema) }
        : { value: inner(member.value as Schema) }),
    });
  return derived;
}

/** The members as they were declared: reading them from the definition would run every getter. */
function declaredShape(def: z.core.$ZodObjectDef): object {
  return z.core.util.rawShape(def) ?? def.shape;
}

/** A map of declared values stays one; what was closed, or dropped what it did not know, keeps it. */
function openCatchall(catchall: Schema | undefined, inner: (each: Schema) => Schema): Schema {
  return catchall === undefined || kind(catchall._zod.def) === 'never'
    ? z.unknown()
    : inner(catchall);
}

function anyOfItsKind(entries: Readonly<Record<string, string | number>>): Schema {
  const values = Object.values(entries);
  const isText = values.some((value) => typeof value === 'string');
  const isNumber = values.some((value) => typeof value === 'number');
  if (isText && isNumber) return z.union([z.string(), z.number()]);
  return isNumber ? z.number() : z.string();
}

function kind({ type }: { readonly type: string }): string {
  return type;
}
