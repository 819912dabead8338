import type { ApiRun } from './api/run-api.ts';
import type { DrainRound } from './drain.ts';
import type { ExactlyOnceRun } from './exactly-once.ts';
import type { HugeTransactionRun } from './huge-transaction.ts';
import type { IdleRun } from './idle.ts';
import type { Judgement } from './judge.ts';
import type { LatencyRun } from './latency.ts';
import type { Machine } from './machine.ts';
import type { ReadingRun } from './reading/run-reading.ts';
import type { RebuildRun } from './rebuild.ts';

/** Everything that one `npm run bench` measured. Written as JSON, `baseline.json` among it. */
export interface BenchResult {
  readonly startedAt: string;
  readonly machine: Machine;
  readonly versions: { readonly postgres: string; readonly kafka: string };
  readonly payloadBytes: number;
  readonly drainEvents: number;
  /** Waiting processes per core when the bench started (1 minute): above 0.3 somebody else was measured too. */
  readonly loadPerCoreAtStart: number;
  readonly drain: readonly DrainRound[];
  readonly latency?: LatencyRun;
  readonly exactlyOnce?: ExactlyOnceRun;
  readonly hugeTransaction?: HugeTransactionRun;
  readonly idle?: IdleRun;
  readonly rebuild?: RebuildRun;
  readonly reading?: ReadingRun;
  readonly api?: ApiRun;
}

/** Every judgement of a result, with the name of what was judged. */
export function judgements(
  result: BenchResult,
): readonly { readonly of: string; readonly judgement: Judgement }[] {
  const { drain, latency, exactlyOnce, hugeTransaction, rebuild, api } = result;
  return [
    ...drain.flatMap((round, index) => [
      { of: `drain ${index + 1}, two topics`, judgement: round.relay.judgement },
      { of: `drain ${index + 1}, one topic`, judgement: round.oneRoute.judgement },
    ]),
    ...(latency ? [{ of: 'latency', judgement: latency.judgement }] : []),
    ...(exactlyOnce
      ? [
          ...exactlyOnce.drains.flatMap(({ plain, exact }, index) => [
            { of: `drain ${index + 1}, at least once`, judgement: plain.judgement },
            { of: `drain ${index + 1}, exactly once`, judgement: exact.judgement },
          ]),
          { of: 'latency, at least once', judgement: exactlyOnce.plain.judgement },
          { of: 'latency, exactly once', judgement: exactlyOnce.exact.judgement },
        ]
      : []),
    ...(hugeTransaction ? [{ of: 'huge transaction', judgement: hugeTransaction.judgement }] : []),
    ...(rebuild ? [{ of: 'live, beside the rebuild', judgement: rebuild.judgement }] : []),
    ...(api ? [{ of: 'single requests', judgement: api.judgement }] : []),
  ];
}
