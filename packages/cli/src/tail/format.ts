import type { KafkaRecord } from '@outbound/consumer';
import { CliError, exitCodes } from '../exit-codes.ts';
import { anyText, safeText } from '../records/safe-text.ts';

/** Gives a record's text. */
export type Formatter = (record: KafkaRecord) => string;
type Part = string | ((record: KafkaRecord) => string);

const tokens: Readonly<Record<string, (record: KafkaRecord) => string>> = {
  t: ({ topic }) => topic,
  p: ({ partition }) => String(partition),
  o: ({ offset }) => String(offset),
  k: ({ key }) => (key === null ? '' : anyText(key)),
  K: ({ key }) => String(key === null ? -1 : key.length),
  s: ({ value }) => (value === null ? '' : anyText(value)),
  S: ({ value }) => String(value === null ? -1 : value.length),
  T: ({ timestampMs }) => String(timestampMs),
  h: ({ headers }) =>
    Object.entries(headers)
      .map(([name, value]) => `${safeText(name)}=${safeText(value)}`)
      .join(','),
};
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };

/**
 * Reads a format as kcat's `-f`: %t topic, %p partition, %o offset, %k key, %K its length, %s value, %S its length (-1
 * if there is none), %T timestamp in
 * milliseconds, %h headers as name=value,… on one line (control characters as \\xNN, wherever it goes), %% a per cent
 * sign; \n \r \t \\ \xNN. One more: %{name} is the value of one header. Nothing is added at
 * the end, not even a newline. Bytes that are not UTF-8 are written as \xNN, which kcat does not do.
 * @param toTerminal escapes control characters (but tab and newline) of what comes from the record
 * @throws CliError FORMAT_INVALID, exit 2
 */
export function compileFormat(format: string, { toTerminal }: { toTerminal: boolean }): Formatter {
  const safe = toTerminal ? (text: string) => safeText(text, '\n\t') : (text: string) => text;
  const parts = parse(format);
  return (record) =>
    parts.map((part) => (typeof part === 'string' ? part : safe(part(record)))).join('');
}

function parse(format: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of format.matchAll(/%\{([^}]+)\}|%(.?)|\\x([0-9A-Fa-f]{2})|\\(.?)/gs)) {
    if (match.index > at) parts.push(format.slice(at, match.index));
    parts.push(part(match));
    at = match.index + match[0].length;
  }
  if (at < format.length) parts.push(format.slice(at));
  return parts;
}

function part([text, header, token, hex, escape]: RegExpMatchArray): Part {
  if (header !== undefined) return ({ headers }) => headers[header] ?? '';
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  if (token === '%') return '%';
  const known = token === undefined ? escapes[escape ?? ''] : tokens[token];
  if (known === undefined)
    throw new CliError(
      'FORMAT_INVALID',
      `-f does not know ${text}: it knows %t %p %o %k %K %s %S %T %h %{header} %% and \\n \\r \\t \\xNN`,
      { exitCode: exitCodes.usage },
    );
  return known;
}
