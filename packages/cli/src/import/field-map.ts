import { stringifyJson } from '@outbound/contract';
import { CliError, exitCodes } from '../exit-codes.ts';
import { cellValue, fieldKinds, type FieldKind } from './cell-value.ts';
import {
  constantValue,
  isBeside,
  needsColumns,
  type ConstantSource,
  type FieldSource,
  type RowPlace,
} from './field-source.ts';
import type { TargetFields } from './import-target.ts';
import { placeValue } from './place-value.ts';

/** `--map FIELD[:KIND]=COLUMN` and `--set FIELD[:KIND]=VALUE` as they were written. */
export interface MapOptions {
  readonly map: readonly string[];
  readonly set: readonly string[];
  /** Columns, and members of NDJSON, that are no field and are not mapped are left out instead of refused. */
  readonly ignoreOthers: boolean;
}

/**
 * Plans which column becomes which field: those named in `map`, and those that are called like a field. Nothing is left
 * out silently.
 * Order: outer fields before what is inside them.
 * @param columns of the file, or undefined where each row has its own (NDJSON): then only fields on the first level are
 * taken by name.
 * @throws CliError IMPORT_MAP_WRONG naming the entry, the columns that are not used, or the required fields that no
 * column gives.
 */
export function planFields(
  fields: TargetFields,
  columns: readonly string[] | undefined,
  options: MapOptions,
): readonly FieldSource[] {
  const sources = new Map<string, FieldSource>();
  for (const entry of options.set) {
    const { path, kind, value: text } = readEntry(entry, fields, '--set');
    if (sources.has(path)) throw wrong(`--set ${entry}: ${path} is given twice`);
    const source = { path: path.split('.'), kind, text };
    requireConstant(source, entry);
    sources.set(path, source);
  }
  const mapped = new Set<string>();
  for (const entry of options.map) {
    const { path, kind, value: column, isKindSaid } = readEntry(entry, fields, '--map');
    if (sources.has(path)) throw wrong(`${entry}: ${path} is given twice`);
    if (columns !== undefined && !columns.includes(column))
      throw wrong(`${entry}: the file has no column ${column}; it has ${columns.join(', ')}`);
    sources.set(path, { path: path.split('.'), kind, column, isKindSaid });
    mapped.add(column);
  }
  if (columns !== undefined) {
    for (const column of columns) {
      if (mapped.has(column) || sources.has(column)) continue;
      const kind = fields.kindOf(column);
      if (kind !== undefined)
        sources.set(column, { path: column.split('.'), kind, column, isKindSaid: false });
    }
    if (!options.ignoreOthers) requireAllUsed(columns, sources);
    const given = new Set([...sources.values()].map(({ path }) => path[0]));
    const missing = fields.required.filter((field) => !given.has(field));
    if (missing.length > 0)
      throw wrong(`no column gives ${missing.join(', ')}: say --map ${missing[0]}=COLUMN`);
  }
  return [...sources.values()].sort((a, b) => a.path.length - b.path.length);
}

/**
 * The JSON text of one row. An empty cell is an absent field; where it leaves an optional object without what it must
 * have (a price without
 * its amount), the constants in that object are left out too.
 * @throws RowFault, JsonTextError: the row cannot be sent as it was meant.
 */
export function rowToJson(
  sources: readonly FieldSource[],
  fields: Pick<TargetFields, 'requiredIn'>,
  place: RowPlace,
  cell: (column: string) => string,
): string {
  const full = new Set<FieldSource>();
  for (const source of sources)
    if ('column' in source && cell(source.column) !== '') full.add(source);
  const root: Record<string, unknown> = {};
  for (const source of sources) {
    const name = source.path.join('.');
    if ('column' in source) {
      if (!full.has(source)) continue;
      const value = cellValue(
        cell(source.column),
        source.kind,
        `${name} (column ${source.column})`,
      );
      placeValue(root, source.path, value);
    } else if (!isHalf(source, sources, full, fields))
      placeValue(root, source.path, constantValue(source, place));
  }
  return stringifyJson(root);
}

/**
 * True for a constant of an object that has columns too, none of which says anything in this row, and that is not whole
 * without them.
 */
function isHalf(
  constant: ConstantSource,
  sources: readonly FieldSource[],
  full: ReadonlySet<FieldSource>,
  fields: Pick<TargetFields, 'requiredIn'>,
): boolean {
  const columns = sources.filter(
    (source) => 'column' in source && isBeside(source.path, constant.path),
  );
  if (columns.length === 0 || columns.some((source) => full.has(source))) return false;
  return needsColumns(constant, sources, fields);
}

/** @throws CliError now rather than a fault in every row. */
function requireConstant(source: ConstantSource, entry: string): void {
  try {
    constantValue(source, { row: 1, line: 1 });
  } catch (error) {
    throw wrong(`--set ${entry}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function requireAllUsed(
  columns: readonly string[],
  sources: ReadonlyMap<string, FieldSource>,
): void {
  const used = new Set([...sources.values()].map((source) => 'column' in source && source.column));
  const [first, ...others] = columns.filter((column) => !used.has(column));
  if (first === undefined) return;
  const source = sources.get(first);
  throw wrong(
    source === undefined
      ? `no field is called ${[first, ...others].join(', ')}: say --map FIELD=${first}, or --ignore-others to ` +
          'leave them out'
      : `column ${first} would be lost, because ${first} comes from ` +
          `${'column' in source ? `column ${source.column}` : 'a constant'}: say --map FIELD=${first}, or ` +
          '--ignore-others to leave it out',
  );
}

function readEntry(
  entry: string,
  fields: TargetFields,
  option: string,
): { path: string; kind: FieldKind; value: string; isKindSaid: boolean } {
  const [, path = '', said, value = ''] =
    /^([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)(?::([a-z]+))?=(.+)$/s.exec(entry) ?? [];
  if (
    path === '' ||
    path.split('.').some((step) => ['__proto__', 'constructor', 'prototype'].includes(step))
  )
    throw wrong(`${option} ${entry}: expected FIELD=${option === '--map' ? 'COLUMN' : 'VALUE'}`);
  const declared = fields.kindOf(path);
  if (declared === undefined) throw wrong(`${option} ${entry}: there is no field ${path}`);
  const kind = said === undefined ? declared : fieldKinds.find((each) => each === said);
  if (kind === undefined)
    throw wrong(`${option} ${entry}: ${said} is none of ${fieldKinds.join(', ')}`);
  return { path, kind, value, isKindSaid: said !== undefined };
}

function wrong(message: string): CliError {
  return new CliError('IMPORT_MAP_WRONG', message, { exitCode: exitCodes.usage });
}
