import { isJsonObject, storedForm, stringifyJson } from '@outbound/schemas';
import type { z } from 'zod';

/**
 * Checks what a patch makes of an entity, as `safeParse` does. A field that it leaves as it was may be what a stored one may be: it was taken under the rules of its day, and whoever
 * corrects a name must not be refused for a currency that has left the list since.
 */
export function checkPatched(
  input: z.ZodObject,
  before: Readonly<Record<string, unknown>>,
  patched: unknown,
): z.ZodSafeParseResult<unknown> {
  const checked = input.safeParse(patched);
  if (checked.success || !isJsonObject(patched)) return checked;
  const shape: Record<string, z.core.$ZodType> = { ...input.shape };
  for (const [field, schema] of Object.entries<z.ZodType>(input.shape))
    if (isSame(before[field], patched[field])) shape[field] = storedForm(schema);
  return input.clone({ ...input.def, shape }).safeParse(patched);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return stringifyJson(a) === stringifyJson(b);
}
