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

/**
 * A `postgres://` URL that names one host and a database. Mark the field secret: it holds a password. A list of hosts, which libpq takes, is refused:
 * the driver would look for one host with a comma in its name, for ever.
 */
export function postgresUrlSetting() {
  return z.string().superRefine((text, context) => {
    const refuse = (message: string): void => void context.addIssue({ code: 'custom', message });
    if (namesSeveralHosts(text))
      return refuse(
        'expected one host: the driver takes no list of them; name an address that leads to the primary, such as that of the cluster',
      );
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && believesAnybody(url))
      return refuse(
        'expected a server that proves who it is: write sslmode=verify-full, with its authority in sslrootcert=/path if it is not a public one',
      );
    const isWhole =
      url !== undefined &&
      ['postgres:', 'postgresql:'].includes(url.protocol) &&
      url.hostname !== '' &&
      url.pathname.length > 1;
    if (!isWhole)
      refuse(
        'expected postgres://user:password@host:port/database (percent-encode @ : / % in the password)',
      );
  });
}

/** The driver's ways to encrypt without looking at the certificate: whoever is between could read all of it. */
function believesAnybody({ searchParams }: URL): boolean {
  return (
    searchParams.get('sslmode') === 'no-verify' ||
    searchParams.get('ssl') === 'no-verify' ||
    searchParams.has('uselibpqcompat')
  );
}

/** Looked for in the text, since a list with ports is no URL at all. A comma in a password stands before the last @. */
function namesSeveralHosts(text: string): boolean {
  const [, authority = '', query = ''] =
    /^postgres(?:ql)?:\/\/([^/?#]*)[^?#]*(?:\?([^#]*))?/.exec(text) ?? [];
  const hosts = authority.slice(authority.lastIndexOf('@') + 1);
  const named = new URLSearchParams(query).getAll('host');
  return [hosts, ...named].some((each) => each.includes(','));
}
