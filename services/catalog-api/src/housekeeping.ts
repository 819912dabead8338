import type { Database } from '@outbound/outbox';
import { systemClock, type Logger } from '@outbound/service-kit';
import type { Aggregate } from './catalog/aggregate.ts';
import { forgetExpired } from './catalog/idempotency.ts';
import { purgeDeleted } from './catalog/purge.ts';
import { indexChanges } from './catalog/search-index.ts';
import type { CommandContext } from './catalog/unit-of-work.ts';
import type { ApiConfig } from './config.ts';
import { inSteps } from './in-steps.ts';
import type { ApiMetrics } from './metrics.ts';
import { startPeriodic } from './periodic.ts';

/** How often each is looked at, how long one look may take, and how many rows a step has at the most. */
const intervalMs = 60_000;
const budgetMs = 50_000;
const limit = 1_000;
/** The search follows the changes so closely; see `search-index.ts`. */
const searchIntervalMs = 2_000;
const searchLimit = 500;
const dayMs = 24 * 60 * 60 * 1_000;

/**
 * Takes away what may not stay: answers kept for Idempotency-Keys after 24 hours, and the data of entities that were deleted long enough ago. In small transactions, as
 * many as it takes: instances share the work and do not wait for each other. And brings into the search what was changed.
 */
export function startHousekeeping(services: {
  readonly db: Database;
  readonly timeouts: CommandContext['timeouts'];
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly aggregates: readonly Aggregate[];
  readonly config: Pick<ApiConfig, 'deletedDataKeptDays'>;
}): { readonly stop: () => Promise<void> } {
  const { db, timeouts, logger, metrics, aggregates, config } = services;
  const stopping = new AbortController();
  const steps = { limit, budgetMs, clock: systemClock, signal: stopping.signal };
  const context = { db, timeouts };
  const forgetting = startPeriodic(intervalMs, logger, 'idempotency', async () => {
    const run = forgetExpired(context, new Date(), limit);
    metrics.countForgotten(await inSteps(run, steps));
  });
  const purging = startPeriodic(intervalMs, logger, 'purge', async () => {
    const before = new Date(Date.now() - config.deletedDataKeptDays * dayMs);
    for (const aggregate of aggregates) {
      const step = () => purgeDeleted(context, aggregate, before, limit);
      metrics.countPurged(aggregate.name, await inSteps(step, steps));
    }
  });
  const indexing = startPeriodic(searchIntervalMs, logger, 'search', async () => {
    for (const aggregate of aggregates) {
      const { search } = aggregate;
      if (search === undefined) continue;
      const beganAt = Date.now();
      let isDone = false;
      const step = async () => {
        const did = await indexChanges(context, { ...aggregate, search }, searchLimit);
        ({ isDone } = did);
        return did.count;
      };
      await inSteps(step, { ...steps, limit: searchLimit });
      if (isDone) metrics.searchIsCurrent(aggregate.name, beganAt);
    }
  });
  return {
    stop: async () => {
      stopping.abort();
      await forgetting.stop();
      await purging.stop();
      await indexing.stop();
    },
  };
}
