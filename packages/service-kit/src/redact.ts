/** Fields whose value reaches no log, at any depth: secrets, and what may hold a customer's data. */
export const hiddenFields: ReadonlySet<string> = new Set([
  'password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'payload',
  'value',
  'body',
  'params',
  'parameters',
  'detail',
  'where',
]);

const maxDepth = 5;

/** The text with the user and password of every URL in it replaced: `postgres://***@host/db`. JSON text stays JSON. */
export function maskUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"]*@/gi, '$1***@');
}

/** As `maskUrlCredentials`, also where no scheme stands before: of `user:password@host`, as somebody may write it who takes a list of hosts for URLs. */
export function maskLogins(text: string): string {
  return maskUrlCredentials(text).replace(/[^\s"',=/@:]+:[^\s"',/@]+@/g, '***@');
}

/**
 * A copy that may be logged: hidden fields are replaced at any depth, credentials are cut out of URLs, what is nested deeper than
 * five levels is left out. Errors are passed through as they are: the error serializer deals with them.
 */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactFields(fields, 1);
}

function redactFields(fields: Readonly<Record<string, unknown>>, depth: number) {
  const shown: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    shown[key] =
      hiddenFields.has(key.toLowerCase()) && value !== undefined
        ? '[redacted]'
        : redactValue(value, depth);
  }
  return shown;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskUrlCredentials(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error || value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= maxDepth) return '[nested]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  // Requests, sockets and the like have serializers of their own; copying them field by field would strip their getters.
  if (prototype !== Object.prototype && prototype !== null) return value;
  return redactFields(value as Record<string, unknown>, depth + 1);
}
