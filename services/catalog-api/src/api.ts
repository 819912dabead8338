import type { Database, TransactionTimeouts } from '@outbound/outbox';
import { eventTypes } from '@outbound/schemas';
import type { Logger } from '@outbound/service-kit';
import { uuidv7 } from 'uuidv7';
import type { TokenVerifier } from './auth/token-verifier.ts';
import type { Aggregate } from './catalog/aggregate.ts';
import { categoryAggregate } from './categories/category-aggregate.ts';
import type { SnapshotSource } from './catalog/snapshot.ts';
import { registerAggregateRoutes } from './http/aggregate-routes.ts';
import { createServer, type ServerLimits } from './http/create-server.ts';
import type { Server } from './http/server.ts';
import { registerAsyncApi } from './http/asyncapi.ts';
import { registerEventTypeRoutes } from './http/event-type-routes.ts';
import { registerOpenApi } from './http/openapi.ts';
import { readTraceparent } from './http/traceparent.ts';
import type { ApiMetrics } from './metrics.ts';
import { productAggregate } from './products/product-aggregate.ts';

/** Every kind of entity that this service keeps. */
export const aggregates: readonly Aggregate[] = [productAggregate, categoryAggregate];

/** Version of the API's contract, semantic (Zalando rule 116); each is kept in `released/`. */
export const apiVersion = '1.2.0';

/** Builds the whole API over a database, ready to listen. Nothing is asked of the database yet. */
export async function createApi(options: {
  readonly db: Database;
  /** Where exports read; without it where everything else does. */
  readonly snapshots?: SnapshotSource;
  /** See `CommandContext`; without it the connections keep their timeouts. */
  readonly timeouts?: () => Promise<TransactionTimeouts | undefined>;
  /** True from the moment when the service was asked to stop. */
  readonly isStopping?: () => boolean;
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly publicUrl: string | undefined;
  /** Says whose a token is; undefined admits everybody. */
  readonly verifier: TokenVerifier | undefined;
  readonly limits: ServerLimits & {
    readonly batchBodyLimitBytes: number;
    readonly pageBytes: number;
  };
}): Promise<Server> {
  const { db, logger, metrics, publicUrl, verifier, limits, isStopping = () => false } = options;
  const { timeouts = () => Promise.resolve(undefined) } = options;
  const { snapshots = { connect: () => db.$client.connect(), timeouts, settleMs: 20_000 } } =
    options;
  const { app, answersInFlight, streams, answerOtherMethods } = createServer({
    logger,
    metrics,
    limits,
    verifier,
    isStopping,
  });
  metrics.watchStreams(streams.places);
  await registerOpenApi(app, apiVersion);
  for (const aggregate of aggregates) {
    registerAggregateRoutes(app, aggregate, {
      publicUrl,
      batchBodyLimitBytes: limits.batchBodyLimitBytes,
      pageBytes: limits.pageBytes,
      answersInFlight,
      streams,
      snapshots,
      contextOf: (request) => {
        const { traceparent } = request.headers;
        return {
          db,
          timeouts,
          now: () => new Date(),
          newId: uuidv7,
          flowId: request.id,
          principal: request.principal?.id,
          traceparent: readTraceparent(typeof traceparent === 'string' ? traceparent : undefined),
          onCommitted: metrics.countEvent,
        };
      },
    });
  }
  registerEventTypeRoutes(app, eventTypes);
  registerAsyncApi(app, eventTypes, apiVersion);
  answerOtherMethods();
  await app.ready();
  return app;
}
