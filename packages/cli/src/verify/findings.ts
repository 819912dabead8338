import { differenceKinds, type DifferenceKind } from './entity-states.ts';

/** What was found for one kind of difference: how many, exactly, and the first ids in the order of discovery. */
export interface Finding {
  readonly count: number;
  readonly ids: readonly string[];
}

export type Findings = Readonly<Record<DifferenceKind, Finding>>;

/** How one aggregate's topic compares to its table. */
export interface Verdict {
  readonly aggregate: string;
  readonly topic: string;
  /**
   * `clean`: every entity was decided, and none differs. `undecided`: none differs, but not all could be decided.
   * Neither is a difference.
   */
  readonly state: 'clean' | 'differs' | 'undecided';
  /** Entities that were compared: keys with a record, and live rows. */
  readonly compared: number;
  readonly rows: { readonly live: number; readonly deleted: number };
  readonly findings: Findings;
  /**
   * Entities that differed when first compared and could not be decided: the relay is behind, or they changed in each
   * round.
   */
  readonly undecided: number;
  /** Why not, and what to do; undefined if nothing is undecided. */
  readonly undecidedWhy: string | undefined;
  /**
   * Bytes of log between the slot and the last watermark, where that was not passed; undefined if unknown or passed.
   */
  readonly behindBytes: bigint | undefined;
  /** Entities that differed when first compared, nearly always because of traffic. */
  readonly candidates: number;
  /** Watermarks that were waited for. */
  readonly rounds: number;
  readonly durationMs: number;
}

/** Collects findings: counts without a limit, ids up to one. */
export class FindingsCollector {
  readonly #maxIds: number;
  readonly #found = new Map<DifferenceKind, { count: number; ids: string[] }>();

  constructor(maxIds: number) {
    this.#maxIds = maxIds;
  }

  /** @param id undefined where the key's text is not known any more: it is counted. */
  add(kind: DifferenceKind, id: string | undefined): void {
    const found = this.#found.get(kind) ?? { count: 0, ids: [] };
    found.count += 1;
    if (id !== undefined && found.ids.length < this.#maxIds) found.ids.push(id);
    this.#found.set(kind, found);
  }

  findings(): Findings {
    return Object.fromEntries(
      differenceKinds.map((kind) => [kind, this.#found.get(kind) ?? { count: 0, ids: [] }]),
    ) as unknown as Findings;
  }
}

/** Differences of all kinds. */
export function differenceCount(findings: Findings): number {
  return differenceKinds.reduce((sum, kind) => sum + findings[kind].count, 0);
}

/** The verdict's state: a difference weighs more than what could not be decided. */
export function stateOf(findings: Findings, undecided: number): Verdict['state'] {
  if (differenceCount(findings) > 0) return 'differs';
  return undecided > 0 ? 'undecided' : 'clean';
}
