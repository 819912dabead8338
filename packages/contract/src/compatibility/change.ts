/** What can differ between two schemas of one event type. */
export type ChangeKind = keyof typeof changeRules;

/** Severity of a change of a schema, as its semantic version says it. Source: Zalando rule 246. */
export type Level = 'PATCH' | 'MINOR' | 'MAJOR';

/**
 * Who can no longer read what. Old readers know the released schema and get events that are written under the declared one; new readers know the
 * declared schema and get events from the topic that were written under the released one. Both ignore fields that they do not know (rule 108).
 */
export type Reader = 'old readers' | 'new readers';

/** One difference between the released schema and the declared one. */
export interface SchemaChange {
  readonly kind: ChangeKind;
  /** Where in the value: `data.price.amount`, `data.tags[]`, `data.labels.*`; empty for the value itself. */
  readonly path: string;
  /** What it was and what it is, for a person. */
  readonly detail: string;
}

interface ChangeRule {
  readonly breaks: readonly Reader[];
  /** Zalando's rule that says so. */
  readonly rule: number;
  /** Only words for people: nothing that a machine reads has changed. */
  readonly isText?: true;
  /** Forbidden by name, though readers that ignore unknown fields would not notice yet. */
  readonly isForbidden?: true;
  /** Named by rule 209 as compatible "as seen by consumers", though older events would be refused. */
  readonly isCompatibleForward?: true;
}

const old: readonly Reader[] = ['old readers'];
const fresh: readonly Reader[] = ['new readers'];
const both: readonly Reader[] = ['old readers', 'new readers'];
const nobody: readonly Reader[] = [];

/**
 * Every kind of change, who is broken by it, and the rule of Zalando's guidelines that decides. What widens a set of values breaks old readers; what
 * narrows it breaks new readers, who still meet the old events; what cannot be compared breaks both.
 */
export const changeRules = {
  'text changed': { breaks: nobody, rule: 246, isText: true },
  'optional field added': { breaks: nobody, rule: 209 },
  'required field added': { breaks: fresh, rule: 246 },
  'optional field removed': { breaks: fresh, rule: 209, isForbidden: true },
  'required field removed': { breaks: both, rule: 209 },
  'field made required': { breaks: fresh, rule: 246 },
  'field made optional': { breaks: old, rule: 209 },
  'enum value added': { breaks: old, rule: 209 },
  'enum value removed': { breaks: fresh, rule: 209, isCompatibleForward: true },
  'enum introduced': { breaks: fresh, rule: 246 },
  'enum dropped': { breaks: old, rule: 112 },
  'extensible enum changed': { breaks: nobody, rule: 112 },
  'type changed': { breaks: both, rule: 209 },
  'type widened': { breaks: old, rule: 209 },
  'type narrowed': { breaks: fresh, rule: 209 },
  'constraint relaxed': { breaks: old, rule: 246 },
  'constraint tightened': { breaks: fresh, rule: 246 },
  'constraint changed': { breaks: both, rule: 246 },
  'undecidable multiple dropped': { breaks: nobody, rule: 173 },
  'default changed': { breaks: both, rule: 209 },
  'tuple changed': { breaks: both, rule: 209 },
  'map opened': { breaks: nobody, rule: 210, isForbidden: true },
  'map closed': { breaks: fresh, rule: 210 },
  'field of a map defined': { breaks: both, rule: 210 },
  'content model stated': { breaks: nobody, rule: 210 },
  'alternative added': { breaks: old, rule: 209 },
  'alternative removed': { breaks: fresh, rule: 209 },
  'keyword changed': { breaks: both, rule: 246 },
} as const satisfies Record<string, ChangeRule>;

/** Who is broken by the change. */
export function brokenBy(kind: ChangeKind): readonly Reader[] {
  return changeRules[kind].breaks;
}

/**
 * The level of a change under the mode. Rule 246 leaves little: words are PATCH, optional fields MINOR, everything else MAJOR, also where it would break
 * new readers alone. Rule 209 adds the values of an extensible enum, and the removal of an enum's value; the latter not in mode `compatible`, whose
 * older events have to pass the new schema too (rule 245).
 */
export function levelOf(kind: ChangeKind, mode: 'compatible' | 'forward' | 'none'): Level {
  const rule: ChangeRule = changeRules[kind];
  if (rule.isText === true) return 'PATCH';
  if (rule.isForbidden === true) return 'MAJOR';
  if (rule.breaks.length === 0) return 'MINOR';
  return rule.isCompatibleForward === true && mode === 'forward' ? 'MINOR' : 'MAJOR';
}
