import type { Verdict } from '../../test/history/history-checker.ts';
import type { Attempt, LoadResult } from './load.ts';

/** A time in which something was down, by the clock of the load. */
export interface Outage {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What one path's run showed. */
export interface PathResult {
  readonly name: string;
  readonly load: LoadResult;
  /** Kafka's. */
  readonly outage: Outage;
  /** From each SIGKILL until the API listened again. */
  readonly restarts: readonly Outage[];
  readonly verdict: Verdict;
}

/** A caller that got this answer knows where it stands: done, or no longer up to date. */
function isAnswered({ status }: Attempt): boolean {
  return status !== undefined && status < 500;
}

/**
 * Share (0 to 1) of the requests begun while Kafka was down that were answered; NaN if there were none. Requests that met a restart are left
 * out: they fail in either path, and not because of Kafka.
 */
export function availability({ load, outage, restarts }: Omit<PathResult, 'name' | 'verdict'>): {
  count: number;
  share: number;
} {
  const during = load.attempts.filter(
    ({ startedMs, durationMs }) =>
      startedMs >= outage.fromMs &&
      startedMs < outage.untilMs &&
      !restarts.some(
        ({ fromMs, untilMs }) => startedMs < untilMs && startedMs + durationMs >= fromMs,
      ),
  );
  return { count: during.length, share: during.filter(isAnswered).length / during.length };
}

/** The comparison as a Markdown table, a column for each path. */
export function comparisonTable(results: readonly PathResult[]): string {
  const number = (value: number) => value.toLocaleString('en-US');
  const of = (kind: Parameters<Verdict['counts']['get']>[0]) => (result: PathResult) =>
    number(result.verdict.counts.get(kind) ?? 0);
  const percent = (share: number) =>
    Number.isNaN(share) ? 'none begun' : `${(share * 100).toFixed(1)} %`;
  const rows: readonly [string, (result: PathResult) => string][] = [
    ['requests', ({ load }) => number(load.attempts.length)],
    [
      'failed requests (5xx, or no answer in 5 s)',
      ({ load }) => number(load.attempts.filter((each) => !isAnswered(each)).length),
    ],
    ['changes that callers gave up', ({ load }) => number(load.abandonedCount)],
    [
      'requests begun while Kafka was down and the API up',
      (result) => number(availability(result).count),
    ],
    ['… of them answered', (result) => percent(availability(result).share)],
    ['changes committed', ({ verdict }) => number(verdict.committed)],
    ['**lost** records (two for each change)', of('lost')],
    ['**ghost** records (nobody committed them)', of('ghost')],
    ['**reordered** records (a version behind a later one)', of('reordered')],
    ['keys whose last record is stale', of('stale')],
    ['duplicates', ({ verdict }) => number(verdict.duplicates)],
  ];
  return [
    `| | ${results.map(({ name }) => name).join(' | ')} |`,
    `| --- | ${results.map(() => '---:').join(' | ')} |`,
    ...rows.map(([name, cell]) => `| ${name} | ${results.map(cell).join(' | ')} |`),
  ].join('\n');
}
