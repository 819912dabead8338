import { readingForm } from '@outbound/contract';
import { z } from 'zod';

const known = new WeakMap<z.ZodType, z.ZodType>();

/** A value as its declaration types it, or where it does not follow it: paths and rules, never values, which may be personal. */
export type ReadValue = { readonly value: unknown } | { readonly faults: string };

/**
 * Checks a parsed value by the reading form of its declaration, which is compiled when it is first used.
 * @throws what makes no value readable at all: a declaration that has to be awaited.
 */
export function readValue(declared: z.ZodType, json: unknown): ReadValue {
  let reader = known.get(declared);
  if (reader === undefined) {
    reader = z.compile(readingForm(declared));
    known.set(declared, reader);
  }
  try {
    const { success, data, error } = reader.safeParse(json);
    return success ? { value: data } : { faults: faultsOf(error) };
  } catch (error) {
    if (error instanceof z.core.$ZodAsyncError) throw error;
    // Code of the declaration (a transformation) that did not expect such a value. Its message may quote it.
    return { faults: `the value (${error instanceof Error ? error.name : 'thrown'})` };
  }
}

function faultsOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, 5)
    .map(({ path, code }) => `${path.join('.') || 'the value'} (${code})`)
    .join(', ');
}
