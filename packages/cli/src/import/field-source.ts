import type { JsonValue } from '@outbound/contract';
import { cellValue, type FieldKind } from './cell-value.ts';
import type { TargetFields } from './import-target.ts';

/** A field that a column gives. */
export interface ColumnSource {
  readonly path: readonly string[];
  readonly kind: FieldKind;
  readonly column: string;
  /** The kind was asked for, so a JSON value has to be of it too. */
  readonly isKindSaid: boolean;
}

/** A field that is the same for every row, but for `{row}` and `{line}` in its text. */
export interface ConstantSource {
  readonly path: readonly string[];
  readonly kind: FieldKind;
  readonly text: string;
}

/** One field of the result and where it comes from. */
export type FieldSource = ColumnSource | ConstantSource;

/** Where a row stands in the file. */
export interface RowPlace {
  /** Of the rows with data, from 1: the header and blank rows don't count. */
  readonly row: number;
  /** Where it begins, from 1. */
  readonly line: number;
}

/** The constant as it is in one row. @throws RowFault, JsonTextError for a text that is not of its kind. */
export function constantValue(
  { path, kind, text }: ConstantSource,
  { row, line }: RowPlace,
): JsonValue {
  const filled = text.replaceAll('{row}', String(row)).replaceAll('{line}', String(line));
  return cellValue(filled, kind, path.join('.'));
}

/** True if the path leads into the object that `beside` is a member of; an object inside another, not the whole. */
export function isBeside(path: readonly string[], beside: readonly string[]): boolean {
  const outer = beside.slice(0, -1);
  return outer.length > 0 && outer.every((step, depth) => path[depth] === step);
}

/** True for a constant of an object that the constants alone don't make whole, as a currency alone is no price. */
export function needsColumns(
  constant: ConstantSource,
  sources: readonly FieldSource[],
  fields: Pick<TargetFields, 'requiredIn'>,
): boolean {
  const outer = constant.path.slice(0, -1);
  if (outer.length === 0) return false;
  const constants = new Set(
    sources
      .filter((each) => 'text' in each && isBeside(each.path, constant.path))
      .map(({ path }) => path[outer.length]),
  );
  return fields.requiredIn(outer.join('.')).some((member) => !constants.has(member));
}
