/** The promises of DESIGN.md that a history can break. */
export type JudgedPromise = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7';

export type ViolationKind =
  | 'lost'
  | 'ghost'
  | 'rolled-back'
  | 'wrong-topic'
  | 'reordered'
  | 'moved-key'
  | 'stale'
  | 'not-a-tombstone'
  | 'altered'
  | 'acknowledged-early'
  | 'too-many-duplicates'
  | 'other-eid';

/** One broken promise: which, of what, and a sentence for a person. */
export interface Violation {
  readonly promise: JudgedPromise;
  readonly kind: ViolationKind;
  readonly sentence: string;
  readonly eid?: string | undefined;
  readonly topic?: string | undefined;
  readonly key?: string | undefined;
}

/** How many of one kind are kept with their words; the rest is counted. */
const keptPerKind = 20;

/** Collects violations in bounded memory: a system that loses everything must not take the checker with it. */
export class Violations {
  readonly kept: Violation[] = [];
  readonly counts = new Map<ViolationKind, number>();

  add(violation: Violation): void {
    const count = (this.counts.get(violation.kind) ?? 0) + 1;
    this.counts.set(violation.kind, count);
    if (count <= keptPerKind) this.kept.push(violation);
  }
}
