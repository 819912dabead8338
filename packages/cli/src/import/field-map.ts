import {
  isJsonObject,
  JsonNumber,
  parseJson,
  stringifyJson,
  type JsonObject,
  type JsonValue,
} from '@outbound/schemas';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { FieldKind, TargetFields } from './import-target.ts';

/** One field of the result and where it comes from. */
export type FieldSource =
  | { readonly path: readonly string[]; readonly kind: FieldKind; readonly column: string }
  | { readonly path: readonly string[]; readonly value: JsonValue };

/** `--map FIELD[:KIND]=COLUMN` and `--set FIELD[:KIND]=VALUE` as they were written. */
export interface MapOptions {
  readonly map: readonly string[];
  readonly set: readonly string[];
  /** Columns that are no field and are not mapped are left out instead of refused. */
  readonly ignoreOthers: boolean;
}

/**
 * Plans which column becomes which field: those named in `map`, and those that are called like a field. Nothing is left out silently.
 * @param columns of the file, or undefined where each row has its own (NDJSON): then only fields on the first level are taken by name.
 * @throws CliError IMPORT_MAP_WRONG naming the entry, the columns that are no fields, or the required fields that no column gives.
 */
export function planFields(
  fields: TargetFields,
  columns: readonly string[] | undefined,
  options: MapOptions,
): readonly FieldSource[] {
  const sources = new Map<string, FieldSource>();
  for (const entry of options.set) {
    const { path, kind, value } = readEntry(entry, fields, '--set');
    sources.set(path, { path: path.split('.'), value: cellValue(value, kind) });
  }
  const mapped = new Set<string>();
  for (const entry of options.map) {
    const { path, kind, value: column } = readEntry(entry, fields, '--map');
    if (sources.has(path)) throw wrong(`${entry}: ${path} is given twice`);
    if (columns !== undefined && !columns.includes(column))
      throw wrong(`${entry}: the file has no column ${column}; it has ${columns.join(', ')}`);
    sources.set(path, { path: path.split('.'), kind, column });
    mapped.add(column);
  }
  if (columns === undefined) return [...sources.values()];
  const strange: string[] = [];
  for (const column of columns) {
    if (sources.has(column)) continue;
    const kind = fields.kindOf(column);
    if (kind !== undefined) sources.set(column, { path: column.split('.'), kind, column });
    else if (!mapped.has(column)) strange.push(column);
  }
  if (strange.length > 0 && !options.ignoreOthers)
    throw wrong(
      `no field is called ${strange.join(', ')}: say --map FIELD=${strange[0]}, or --ignore-others to leave them out`,
    );
  const given = new Set([...sources.values()].map(({ path }) => path[0]));
  const missing = fields.required.filter((field) => !given.has(field));
  if (missing.length > 0)
    throw wrong(`no column gives ${missing.join(', ')}: say --map ${missing[0]}=COLUMN`);
  return [...sources.values()];
}

/** The JSON text of one row. An empty cell is an absent field. @throws JsonTextError for text that JSON cannot carry. */
export function rowToJson(
  sources: readonly FieldSource[],
  cell: (column: string) => string,
): string {
  return build(sources, ({ column, kind }) => {
    const text = cell(column);
    return text === '' ? undefined : cellValue(text, kind);
  });
}

/**
 * The JSON text of one object: its members that are fields, and over them what is mapped and set. Values stay what they are.
 * @throws JsonTextError
 */
export function objectToJson(
  sources: readonly FieldSource[],
  fields: TargetFields,
  object: JsonObject,
): string {
  const own = Object.keys(object)
    .filter((name) => fields.kindOf(name) !== undefined)
    .map((name): FieldSource => ({ path: [name], kind: 'json', column: name }));
  return build([...own, ...sources], ({ column }) => memberAt(object, column));
}

function build(
  sources: readonly FieldSource[],
  valueOf: (source: Extract<FieldSource, { column: string }>) => JsonValue | undefined,
): string {
  const root: Record<string, unknown> = {};
  for (const source of sources) {
    const value = 'column' in source ? valueOf(source) : source.value;
    if (value !== undefined) place(root, source.path, value);
  }
  return stringifyJson(root);
}

function place(root: Record<string, unknown>, path: readonly string[], value: JsonValue): void {
  let at = root;
  for (const step of path.slice(0, -1)) {
    const inner = at[step];
    // A copy: what came with a row is not ours to change.
    const next = isJsonObject(inner) ? { ...inner } : {};
    at[step] = next;
    at = next;
  }
  at[path.at(-1) ?? ''] = value;
}

function memberAt(object: JsonObject, column: string): JsonValue | undefined {
  if (Object.hasOwn(object, column)) return object[column];
  let at: JsonValue | undefined = object;
  for (const step of column.split('.'))
    at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return at;
}

/** A cell as JSON. What does not look like its kind stays text, so that the API says what is wrong with it. */
function cellValue(text: string, kind: FieldKind): JsonValue {
  switch (kind) {
    case 'number':
      return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? new JsonNumber(text) : text;
    case 'boolean':
      return text === 'true' || (text === 'false' ? false : text);
    case 'json':
      return parseJson(text);
    case 'string':
      return text;
  }
}

const kinds: readonly FieldKind[] = ['string', 'number', 'boolean', 'json'];

function readEntry(
  entry: string,
  fields: TargetFields,
  option: string,
): { path: string; kind: FieldKind; value: string } {
  const [, path = '', said, value = ''] =
    /^([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)(?::([a-z]+))?=(.+)$/s.exec(entry) ?? [];
  if (
    path === '' ||
    path.split('.').some((step) => ['__proto__', 'constructor', 'prototype'].includes(step))
  )
    throw wrong(`${option} ${entry}: expected FIELD=${option === '--map' ? 'COLUMN' : 'VALUE'}`);
  const declared = fields.kindOf(path);
  if (declared === undefined) throw wrong(`${option} ${entry}: there is no field ${path}`);
  const kind = said === undefined ? declared : kinds.find((each) => each === said);
  if (kind === undefined) throw wrong(`${option} ${entry}: ${said} is none of ${kinds.join(', ')}`);
  return { path, kind, value };
}

function wrong(message: string): CliError {
  return new CliError('IMPORT_MAP_WRONG', message, { exitCode: exitCodes.usage });
}
