import type { EventType } from '../event-type.ts';
import { brokenBy, changeRules, levelOf, type Level, type SchemaChange } from './change.ts';
import { compareSchemas } from './compare-schemas.ts';
import { lintKeywords } from './keyword-lint.ts';
import { releaseOf, type ReleasedSchema } from './released-schema.ts';
import { bumped, compareVersions, majorOfName, nextMajorName, parseVersion } from './semver.ts';

/** How an event type, as it is declared, relates to what was released of it. */
export interface EventTypeVerdict {
  readonly name: string;
  readonly mode: EventType['compatibilityMode'];
  readonly declaredVersion: string;
  /** The newest release; undefined if there is none yet. */
  readonly releasedVersion: string | undefined;
  /** What the changes since then amount to; undefined if nothing changed or nothing was released. */
  readonly level: Level | undefined;
  readonly changes: readonly SchemaChange[];
  /** What has to be done, one sentence each; empty if all is well. */
  readonly problems: readonly string[];
}

const levels: readonly Level[] = ['PATCH', 'MINOR', 'MAJOR'];

/** The most severe level of the changes under the mode; undefined for none. */
export function verdictOf(
  changes: readonly SchemaChange[],
  mode: EventType['compatibilityMode'],
): Level | undefined {
  return levels.findLast((level) => changes.some(({ kind }) => levelOf(kind, mode) === level));
}

/**
 * Judges a declared event type by Zalando's rules: what changed since its newest release (rule 209), whether the version says so (rule 246), whether the
 * mode allows it (rule 245), whether the name says the major version (rule 213), and whether its schema says only what it may (rules 196 and 210). In mode
 * `compatible` every release counts, because its events may still be read.
 */
export function judgeEventType(
  eventType: EventType,
  released: readonly ReleasedSchema[],
): EventTypeVerdict {
  const declared = releaseOf(eventType);
  const { name, version, compatibilityMode: mode } = eventType;
  const releases = released
    .filter(({ event_type }) => event_type === name)
    .sort((a, b) => compareVersions(a.version, b.version));
  const newest = releases.at(-1);
  const changes = newest === undefined ? [] : compareSchemas(newest.schema, declared.schema);
  const level = verdictOf(changes, mode);
  const problems = lintKeywords(declared.schema).map(
    ({ pointer, text, rule }) => `${pointer}: ${text} in an event schema (rule ${rule})`,
  );
  const major = majorOfName(name);
  if (parseVersion(version)[0] !== major && !(major === 1 && parseVersion(version)[0] === 0))
    problems.push(
      `version ${version} does not fit the name: ${name} is major version ${major} (rule 213)`,
    );
  if (newest === undefined)
    problems.push(`version ${version} is not released: run \`outbound schemas release\``);
  else problems.push(...problemsSince(newest, { declared, level, changes }));
  if (mode === 'compatible')
    for (const older of releases.slice(0, -1))
      for (const change of compareSchemas(older.schema, declared.schema))
        if (brokenBy(change.kind).includes('new readers') && !isAmong(change, changes))
          problems.push(`since ${older.version}: ${changeText(change)}`);
  return {
    name,
    mode,
    declaredVersion: version,
    releasedVersion: newest?.version,
    level,
    changes,
    problems,
  };
}

function problemsSince(
  newest: ReleasedSchema,
  {
    declared: { event_type: name, version, compatibility_mode: mode },
    level,
    changes,
  }: {
    readonly declared: ReleasedSchema;
    readonly level: Level | undefined;
    readonly changes: readonly SchemaChange[];
  },
): string[] {
  const strictness = ['none', 'forward', 'compatible'];
  if (strictness.indexOf(mode) < strictness.indexOf(newest.compatibility_mode))
    return [
      `the mode ${newest.compatibility_mode} was promised with ${newest.version} and cannot become ${mode}`,
    ];
  if (level === 'MAJOR' && mode !== 'none')
    return [
      ...changes.filter(({ kind }) => levelOf(kind, mode) === 'MAJOR').map(changeText),
      `a breaking change needs a new event type beside this one: ${nextMajorName(name)} with topics of its own (rule 246)`,
    ];
  const order = compareVersions(version, newest.version);
  if (order < 0) return [`version ${version} is older than the release ${newest.version}`];
  if (level !== undefined && compareVersions(version, bumped(newest.version, level)) < 0)
    return [
      ...changes.filter(({ kind }) => levelOf(kind, mode) === level).map(changeText),
      `these are ${level} changes since ${newest.version}: say version ${bumped(newest.version, level)} (rule 246)`,
    ];
  return order > 0 ? [`version ${version} is not released: run \`outbound schemas release\``] : [];
}

/** The change in one line: where, what, who is broken, by which rule. */
export function changeText({ kind, path, detail }: SchemaChange): string {
  const broken = brokenBy(kind);
  const who = broken.length === 0 ? '' : `, breaks ${broken.join(' and ')}`;
  return `${path === '' ? 'the value' : path}: ${kind} (${detail})${who} (rule ${changeRules[kind].rule})`;
}

function isAmong(change: SchemaChange, changes: readonly SchemaChange[]): boolean {
  return changes.some(({ kind, path }) => kind === change.kind && path === change.path);
}
