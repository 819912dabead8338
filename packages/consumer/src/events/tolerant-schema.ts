import { z } from 'zod';

const known = new WeakMap<z.ZodType, z.ZodType>();

/**
 * The schema as a consumer has to read it: every object in it keeps what it does not know, at any depth, where the producer's own schema
 * refuses it. Everything that is declared is checked as before. The input is not changed; the same input gives the same output.
 * Source: Zalando rule 108 (clients ignore unknown fields).
 */
export function tolerantSchema<Schema extends z.ZodType>(schema: Schema): Schema {
  let tolerant = known.get(schema);
  if (tolerant === undefined) {
    tolerant = derive(schema);
    known.set(schema, tolerant);
  }
  return tolerant as Schema;
}

function derive(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape: Record<string, z.ZodType> = {};
    for (const [name, member] of Object.entries<z.ZodType>(schema.shape))
      shape[name] = tolerantSchema(member);
    // clone keeps the checks of the object itself, which a new object would lose.
    return schema.clone({ ...schema.def, shape, catchall: z.unknown() });
  }
  if (schema instanceof z.ZodArray)
    return schema.clone({ ...schema.def, element: inner(schema.def.element) });
  if (schema instanceof z.ZodRecord)
    return schema.clone({ ...schema.def, valueType: inner(schema.def.valueType) });
  if (schema instanceof z.ZodUnion)
    return schema.clone({ ...schema.def, options: schema.def.options.map(inner) });
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly
  )
    return (schema as z.ZodOptional).clone({
      ...schema.def,
      innerType: inner(schema.def.innerType),
    } as z.ZodOptional['def']);
  return schema;
}

function inner(schema: z.core.$ZodType): z.ZodType {
  return tolerantSchema(schema as z.ZodType);
}
