import { isJsonObject, storedForm, stringifyJson } from '@outbound/contract';
import type { z } from 'zod';

/**
 * Checks what a patch or a replacement makes of an entity, as `safeParse` does. A field that stays as it was may be what a stored one may be: it was taken under the rules of its day, and
 * whoever corrects a name must not be refused for a currency that has left the list since.
 */
export function checkReplacement(
  input: z.ZodObject,
  before: Readonly<Record<string, unknown>>,
  replaced: unknown,
): z.ZodSafeParseResult<unknown> {
  const checked = input.safeParse(replaced);
  if (checked.success || !isJsonObject(replaced)) return checked;
  const shape: Record<string, z.core.$ZodType> = { ...input.shape };
  for (const [field, schema] of Object.entries<z.ZodType>(input.shape))
    if (isSame(before[field], replaced[field])) shape[field] = storedForm(schema);
  return input.clone({ ...input.def, shape }).safeParse(replaced);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return stringifyJson(a) === stringifyJson(b);
}
