import { z } from 'zod';
import {
  isJsonObject,
  stringifyJson,
  JsonTextError,
  stringFault,
  type JsonObject,
} from '@outbound/contract';

/** Text that Postgres gives back as it was: no lone surrogate, no U+0000. Lengths count characters, as `char_length` does. */
export function text({ min = 0, max }: { readonly min?: number; readonly max: number }) {
  return z
    .string()
    .superRefine((value, context) => {
      const fault = stringFault(value);
      const length = [...value].length;
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      else if (length < min || length > max)
        context.addIssue({
          code: 'custom',
          message: `must have ${min} to ${max} characters, not ${length}`,
        });
    })
    .meta({ ...(min > 0 ? { minLength: min } : {}), maxLength: max });
}

/** Control characters of both tables, and the two that Unicode has for new lines. */
const controls = /[\p{Cc}\u2028\u2029]/u;

/** Text on one line that begins and ends with something visible. What was stored before control characters were refused stays readable (`readingForm`). */
export function label(length: { readonly min?: number; readonly max: number }) {
  return text({ min: 1, ...length })
    .refine((value) => value === value.trim(), {
      error: 'must not begin or end with white space',
    })
    .refine((value) => stringFault(value) !== undefined || !controls.test(value), {
      error: 'must be one line without control characters',
    })
    .meta({ minLength: length.min ?? 1, maxLength: length.max });
}

/** Lower-case words joined by hyphens: `outdoor-shoes`. */
export const slug = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters and digits, joined by hyphens')
  .max(64);

/** RFC 3339 in UTC, to the millisecond. */
export const moment = z.iso.datetime({ precision: 3 });

/** Identifier of an entity: a UUIDv7 in lower case, so that one entity has one key. */
export const entityId = z.uuidv7().regex(/^[^A-F]*$/, 'must be in lower case');

/** Counts the changes of one entity from 1. The order of its events and its ETag. */
export const entityVersion = z.int().min(1);

export const maxAttributesBytes = 64 * 1024;

/** Any JSON object, of which no digit is lost; at most 64 KiB of text. */
export const jsonObject = z
  .custom<JsonObject>((value) => isJsonObject(value), { error: 'must be a JSON object' })
  .superRefine((value, context) => {
    try {
      const bytes = Buffer.byteLength(stringifyJson(value));
      if (bytes > maxAttributesBytes)
        context.addIssue({
          code: 'custom',
          message: `must be at most ${maxAttributesBytes} bytes of JSON, not ${bytes}`,
        });
    } catch (error) {
      if (!(error instanceof JsonTextError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  })
  .meta({ type: 'object' });
