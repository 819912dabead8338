import { isJsonObject, stringifyJson, type JsonObject, type JsonValue } from '@outbound/contract';
import { requireKind, RowFault } from './cell-value.ts';
import { constantValue, isBeside, needsColumns } from './field-source.ts';
import type { FieldSource, RowPlace } from './field-source.ts';
import type { TargetFields } from './import-target.ts';
import { placeValue } from './place-value.ts';

type Path = readonly string[];

/** How the objects of a file become what is sent. */
export interface ObjectPlan {
  /** As `planFields` gives them. */
  readonly sources: readonly FieldSource[];
  readonly fields: TargetFields;
  /** Members that become nothing are left out instead of refused. */
  readonly ignoreOthers: boolean;
}

/**
 * The JSON text of one object: its members that are fields, and what is mapped and set. Values stay what they are. A
 * member that is mapped goes
 * where it is mapped to, and only there, as a column does. Of the others none is lost, whatever its depth: one that is
 * no field, or whose
 * field comes from elsewhere, is a fault of the row unless `ignoreOthers`. Constants make no object of which this row
 * says nothing.
 * @throws RowFault naming the members, JsonTextError
 */
export function objectToJson(plan: ObjectPlan, place: RowPlace, object: JsonObject): string {
  const { sources, fields, ignoreOthers } = plan;
  const given = new Map<FieldSource, JsonValue>();
  let rest = object;
  for (const source of sources) {
    if (!('column' in source)) continue;
    const steps = Object.hasOwn(object, source.column) ? [source.column] : source.column.split('.');
    const value = memberAt(object, steps);
    if (value === undefined) continue;
    if (source.isKindSaid)
      requireKind(value, source.kind, `${source.path.join('.')} (${source.column})`);
    given.set(source, value);
    rest = without(rest, steps);
  }
  const others: Path[] = [];
  let root = fieldsOf(rest, [], fields, others);
  if (others.length > 0 && !ignoreOthers) throw noField(others, rest, object);
  for (const source of sources)
    if ('text' in source && !isLeftOut(source, plan, root, given))
      given.set(source, constantValue(source, place));
  for (const { path, ...source } of given.keys()) {
    if (memberAt(root, path) === undefined) continue;
    const name = path.join('.');
    if (!ignoreOthers)
      throw new RowFault(
        `member ${name} would be lost, because ${name} comes from ` +
          `${'column' in source ? source.column : 'a constant'}: say --map FIELD=${name}, or --ignore-others to ` +
          'leave it out',
      );
    root = without(root, path);
  }
  const result: Record<string, unknown> = { ...root };
  for (const source of sources) {
    const value = given.get(source);
    if (value !== undefined) placeValue(result, source.path, value);
  }
  return stringifyJson(result);
}

/** The members that the schema knows, at every depth; of the others the paths. */
function fieldsOf(
  object: JsonObject,
  path: Path,
  fields: TargetFields,
  others: Path[],
): JsonObject {
  const members = fields.membersIn(path.join('.'));
  if (members === undefined) return object;
  const kept: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(object)) {
    const at = [...path, name];
    if (value === undefined) continue;
    if (!members.has(name)) others.push(at);
    else kept.push([name, isJsonObject(value) ? fieldsOf(value, at, fields, others) : value]);
  }
  return Object.fromEntries(kept);
}

/** Of members that are used in part, what is not used is named. */
function noField(others: readonly Path[], rest: JsonObject, object: JsonObject): RowFault {
  const lost = others.flatMap((path) => unused(path, memberAt(rest, path), memberAt(object, path)));
  return new RowFault(
    `no field is called ${lost.join(', ')}: say --map FIELD=${lost[0]}, or --ignore-others to leave out what is none`,
  );
}

function unused(path: Path, left: JsonValue | undefined, whole: JsonValue | undefined): string[] {
  if (left === whole || !isJsonObject(left) || !isJsonObject(whole)) return [path.join('.')];
  return Object.keys(left).flatMap((name) => unused([...path, name], left[name], whole[name]));
}

/** True for a constant of an object of which nothing is in this row, and that is not whole without it. */
function isLeftOut(
  constant: Extract<FieldSource, { text: string }>,
  { sources, fields }: ObjectPlan,
  root: JsonObject,
  given: ReadonlyMap<FieldSource, JsonValue>,
): boolean {
  const isSaid =
    memberAt(root, constant.path.slice(0, -1)) !== undefined ||
    [...given.keys()].some((each) => 'column' in each && isBeside(each.path, constant.path));
  return !isSaid && needsColumns(constant, sources, fields);
}

function memberAt(object: JsonObject, steps: Path): JsonValue | undefined {
  let at: JsonValue | undefined = object;
  for (const step of steps) at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return at;
}

/** A copy without the member at the path, and without the objects that have nothing else. */
function without(object: JsonObject, [step = '', ...inner]: Path): JsonObject {
  const { [step]: member, ...others } = object;
  if (member === undefined || inner.length === 0) return others;
  if (!isJsonObject(member)) return object;
  const left = without(member, inner);
  return Object.keys(left).length === 0 ? others : { ...object, [step]: left };
}
