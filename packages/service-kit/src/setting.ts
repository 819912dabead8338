import { z } from 'zod';

/** What a setting's `.meta()` may carry, beside the text of `.describe()`. */
export interface SettingMeta {
  /** The value is never printed, neither in an error nor in the start-up log. */
  readonly secret?: boolean;
  /** Unit of the number, as people say it: `ms`, `bytes`. */
  readonly unit?: string;
  /** A value that would work, for `.env.example`. Never a real secret. */
  readonly example?: string;
}

/**
 * A whole number written in decimal digits. Stricter than `z.coerce.number()`, which takes `0x10`, `1e3` and white space.
 * Bounds are inclusive.
 */
export function integerSetting({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: { min?: number; max?: number } = {}) {
  const right = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d{1,16}$/, right)
    .transform(Number)
    .pipe(z.number().min(min, right).max(max, right));
}

/** `true` or `false`, and nothing else. */
export function flagSetting() {
  return z.stringbool({
    truthy: ['true'],
    falsy: ['false'],
    error: 'expected true or false',
  });
}

/** Text separated by commas; white space around an item is cut, an empty item is an error. */
export function listSetting() {
  return z.string().transform((text, context) => {
    const items = text.split(',').map((item) => item.trim());
    if (items.some((item) => item === '')) {
      context.addIssue({
        code: 'custom',
        message: 'expected items separated by commas, none of them empty',
      });
      return z.NEVER;
    }
    return items;
  });
}

/** A `postgres://` URL that names host and database. Mark the field secret: it holds a password. */
export function postgresUrlSetting() {
  return z.string().refine(
    (text) => {
      if (!URL.canParse(text)) return false;
      const url = new URL(text);
      return (
        ['postgres:', 'postgresql:'].includes(url.protocol) &&
        url.hostname !== '' &&
        url.pathname.length > 1
      );
    },
    {
      error:
        'expected postgres://user:password@host:port/database (percent-encode @ : / % in the password)',
    },
  );
}
