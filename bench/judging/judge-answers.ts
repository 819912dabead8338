/** A change that was asked for, under a name of its own, and what was answered. */
export interface Write {
  /** The name that the entity gets by it; no two changes have the same. */
  readonly tag: string;
  /** What a right answer is; `any` where it depends on others. */
  readonly due: 'done' | 'refused' | 'any';
  /** `unanswered`: a connection that was closed as idle, so nothing was taken. `unknown`: may have been done, and the caller was told so, or went away himself. */
  readonly outcome: 'done' | 'refused' | 'unanswered' | 'unknown';
  readonly status: number;
  /** Of the entity as it was answered, where it was done. */
  readonly id?: string | undefined;
  readonly version?: number | undefined;
}

/** An event of the outbox, or a state that a read has shown. */
export interface State {
  readonly id: string;
  readonly version: number;
  readonly tag: string;
}

export type WrongKind =
  | 'done without an event'
  | 'done without a row'
  | 'done twice'
  | 'answered another version than was written'
  | 'refused and yet written'
  | 'not answered and yet written'
  | 'done where a refusal was due'
  | 'refused where it was right'
  | 'shown and never written'
  | 'written and never asked for'
  | 'row is not its last event';

export interface WrongAnswers {
  readonly counts: ReadonlyMap<WrongKind, number>;
  /** The first of each kind, in words. */
  readonly examples: readonly string[];
}

/** What one may be refused for without having done anything wrong: too much at a time, too slowly, or a service that cannot now. */
const passing = new Set([408, 425, 429, 502, 503, 504]);

/**
 * Compares what callers were told with what the database holds once all is quiet: each 2xx has its row and its one event with the version that was answered, each refusal has none, and whatever a
 * read has shown was written once. That events reach the topics is judged elsewhere (`HistoryChecker`).
 * @param truth.rows by id; `truth.events` in any order.
 */
export function judgeAnswers(
  told: { readonly writes: readonly Write[]; readonly shown: readonly State[] },
  truth: { readonly rows: readonly State[]; readonly events: readonly State[] },
): WrongAnswers {
  const counts = new Map<WrongKind, number>();
  const examples: string[] = [];
  const found = (kind: WrongKind, what: string) => {
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count <= 3) examples.push(`${kind}: ${what}`);
  };
  const byTag = new Map<string, State[]>();
  const last = new Map<string, State>();
  const states = new Set<string>();
  for (const event of truth.events) {
    const same = byTag.get(event.tag);
    if (same === undefined) byTag.set(event.tag, [event]);
    else same.push(event);
    if (event.version > (last.get(event.id)?.version ?? 0)) last.set(event.id, event);
    states.add(textOf(event));
  }
  const rows = new Map(truth.rows.map((row) => [row.id, row]));
  const asked = new Set<string>();
  for (const write of told.writes) {
    const { tag, due, outcome, status } = write;
    asked.add(tag);
    const events = byTag.get(tag) ?? [];
    const what = `${tag}, answered ${status}`;
    const [event] = events;
    if (events.length > 1) found('done twice', what);
    if (outcome === 'refused' && event !== undefined) found('refused and yet written', what);
    if (outcome === 'unanswered' && event !== undefined)
      found('not answered and yet written', what);
    if (outcome === 'refused' && due === 'done' && !passing.has(status))
      found('refused where it was right', what);
    if (outcome !== 'done') continue;
    if (due === 'refused') found('done where a refusal was due', what);
    if (event === undefined) {
      found('done without an event', what);
      continue;
    }
    if (event.id !== write.id || event.version !== write.version)
      found(
        'answered another version than was written',
        `${what} with ${write.id} ${write.version}, written as ${event.id} ${event.version}`,
      );
    if ((rows.get(event.id)?.version ?? 0) < event.version) found('done without a row', what);
  }
  for (const tag of byTag.keys()) if (!asked.has(tag)) found('written and never asked for', tag);
  for (const state of told.shown)
    if (!states.has(textOf(state))) found('shown and never written', textOf(state));
  for (const row of truth.rows) {
    const event = last.get(row.id);
    if (event === undefined || textOf(event) !== textOf(row))
      found('row is not its last event', textOf(row));
  }
  return { counts, examples };
}

/** A state as one text, so that equal ones are kept once. */
export function textOf({ id, version, tag }: State): string {
  return `${id} ${version} ${tag}`;
}
