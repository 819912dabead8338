import type { FaultOutcome, FaultRow } from './fault-row.ts';

/** What a row's last run showed, as it is kept in `runs/`. */
export interface RowResult {
  readonly row: number;
  /** Day, UTC. */
  readonly date: string;
  /** Last commit that changed what is run: services, packages, migrations. With a + if there were changes since. */
  readonly product: string;
  readonly node: string;
  readonly firstSeed: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Proof that the fault bit, of the last round that had one. */
  readonly bit: string;
  readonly judged: readonly {
    readonly promise: string;
    /** Rounds in which it did not hold: 0 is what is wanted. */
    readonly broken: number;
    /** Of the first round that broke it, or of the last round. */
    readonly found: string;
  }[];
  /** From the least to the most over the rounds. */
  readonly figures: Readonly<Record<string, string>>;
  /** Rounds that could not be carried out, or whose fault did not bite, with the reason. */
  readonly failures: readonly { readonly seed: number; readonly what: string }[];
}

/** One round as it went. */
export type RoundResult =
  | { readonly seed: number; readonly outcome: FaultOutcome }
  | { readonly seed: number; readonly failure: string };

/** What the rounds of a row show together. Pure. */
export function rowResult(
  row: Pick<FaultRow, 'number'>,
  rounds: readonly RoundResult[],
  about: Pick<RowResult, 'date' | 'product' | 'node' | 'seconds'>,
): RowResult {
  const outcomes = rounds.flatMap((round) => ('outcome' in round ? [round.outcome] : []));
  const promises = [
    ...new Set(outcomes.flatMap(({ judged }) => judged.map(({ promise }) => promise))),
  ].sort((one, other) => Number(one.slice(1)) - Number(other.slice(1)));
  const names = [...new Set(outcomes.flatMap(({ figures }) => Object.keys(figures ?? {})))];
  return {
    row: row.number,
    ...about,
    firstSeed: rounds[0]?.seed ?? 0,
    rounds: rounds.length,
    bit: outcomes.at(-1)?.bit ?? '',
    judged: promises.map((promise) => {
      const found = outcomes.map(({ judged }) => judged.filter((one) => one.promise === promise));
      const broken = found.filter((each) => each.some(({ holds }) => !holds));
      const shown = broken[0]?.filter(({ holds }) => !holds) ?? found.at(-1) ?? [];
      return {
        promise,
        broken: broken.length,
        found: shown.map((one) => one.found).join('; '),
      };
    }),
    figures: Object.fromEntries(
      names.map((name) => [name, span(outcomes.flatMap(({ figures }) => figures?.[name] ?? []))]),
    ),
    failures: rounds.flatMap((round) =>
      'failure' in round ? [{ seed: round.seed, what: round.failure }] : [],
    ),
  };
}

/** Whether every round was carried out and every promise held in it. */
export function isSound({ judged, failures, rounds }: RowResult): boolean {
  return rounds > 0 && failures.length === 0 && judged.every(({ broken }) => broken === 0);
}

function span(values: readonly (number | string)[]): string {
  const numbers = values.filter((value) => typeof value === 'number');
  const show = (value: number) =>
    value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 });
  if (numbers.length < values.length) return String(values.at(-1));
  const [least, most] = [show(Math.min(...numbers)), show(Math.max(...numbers))];
  return least === most ? least : `${least}–${most}`;
}
