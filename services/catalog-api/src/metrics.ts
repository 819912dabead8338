import { createMetricsRegistry } from '@outbound/service-kit';
import type { StreamPlaces } from './streams/stream-places.ts';
import type { LoadCounts } from './limits/register-limits.ts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Connections of the pool, as pg counts them. */
export interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Every metric of this service. No label holds an id, a key or a value of a caller's. */
export interface ApiMetrics {
  readonly registry: Registry;
  readonly observeRequest: (request: {
    readonly method: string;
    /** The route's pattern, or `unmatched`. */
    readonly route: string;
    readonly status: number;
    readonly durationSeconds: number;
  }) => void;
  /** Tells where to ask, at each scrape, what is under way. */
  readonly watchLoad: (read: () => LoadCounts) => void;
  /** Tells where to ask, at each scrape, which streams are under way. */
  readonly watchStreams: (places: Pick<StreamPlaces, 'count' | 'bytes'>) => void;
  /** Counts an event whose transaction has committed. */
  readonly countEvent: (event: { readonly eventType: string; readonly dataOp: string }) => void;
  /** Counts answers kept for Idempotency-Keys that were forgotten. */
  readonly countForgotten: (count: number) => void;
  /** Counts deleted entities whose data was dropped. */
  readonly countPurged: (entity: string, count: number) => void;
  /** Tells that the search knew all that had been changed at this moment, in ms since 1970. */
  readonly searchIsCurrent: (entity: string, atMs: number) => void;
}

/**
 * Creates the metrics in a registry of their own.
 * @param poolCounts asked at each scrape.
 * @param keysAgeSeconds asked at each scrape; NaN where there are no keys, or none are needed.
 */
export function createApiMetrics(
  version: string,
  poolCounts: () => PoolCounts,
  keysAgeSeconds: () => number = () => NaN,
): ApiMetrics {
  const registry = createMetricsRegistry({ prefix: 'catalog_', version });
  const requests = new Histogram({
    name: 'catalog_http_request_duration_seconds',
    help: 'Time from the request head to the end of the answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const events = new Counter({
    name: 'catalog_outbox_events_total',
    help: 'Events committed to the outbox.',
    labelNames: ['event_type', 'data_op'],
    registers: [registry],
  });
  const forgotten = new Counter({
    name: 'catalog_idempotency_keys_forgotten_total',
    help: 'Answers kept for Idempotency-Keys that were dropped after their 24 hours.',
    registers: [registry],
  });
  const purged = new Counter({
    name: 'catalog_entities_purged_total',
    help: 'Deleted entities whose data was dropped.',
    labelNames: ['entity'],
    registers: [registry],
  });
  const searchCurrentAt = new Map<string, number>();
  new Gauge({
    name: 'catalog_search_age_seconds',
    help: 'Time since this instance last found that the search knew all changes; of several instances, the smallest counts.',
    labelNames: ['entity'],
    registers: [registry],
    collect() {
      for (const [entity, atMs] of searchCurrentAt)
        this.set({ entity }, (Date.now() - atMs) / 1_000);
    },
  });
  const gauge = (name: string, help: string, read: (counts: PoolCounts) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(poolCounts()));
      },
    });
  gauge('catalog_db_pool_connections', 'Open connections.', ({ totalCount }) => totalCount);
  gauge(
    'catalog_db_pool_idle_connections',
    'Connections that wait for work.',
    (counts) => counts.idleCount,
  );
  gauge(
    'catalog_db_pool_waiting_requests',
    'Requests that wait for a connection.',
    (counts) => counts.waitingCount,
  );
  new Gauge({
    name: 'catalog_token_keys_age_seconds',
    help: "Time since the token issuer's keys were read last; NaN if there are none, or authentication is off.",
    registers: [registry],
    collect() {
      this.set(keysAgeSeconds());
    },
  });
  let streams: Pick<StreamPlaces, 'count' | 'bytes'> = { count: () => 0, bytes: 0 };
  new Gauge({
    name: 'catalog_streams_under_way',
    help: 'Imports and exports that have not ended.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      for (const kind of ['import', 'export'] as const) this.set({ kind }, streams.count(kind));
    },
  });
  new Gauge({
    name: 'catalog_streams_held_bytes',
    help: 'What imports and exports have read and not written, or made and not sent.',
    registers: [registry],
    collect() {
      this.set(streams.bytes);
    },
  });
  let load = (): LoadCounts => ({ underWay: NaN, waiting: NaN });
  for (const [name, help, read] of [
    [
      'catalog_http_requests_under_way',
      'Requests that are not answered yet.',
      () => load().underWay,
    ],
    [
      'catalog_http_requests_waiting',
      "Requests of callers who use their share of the pool, or wait for others' turn.",
      () => load().waiting,
    ],
  ] as const)
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  return {
    registry,
    watchLoad: (read) => (load = read),
    watchStreams: (places) => (streams = places),
    observeRequest: ({ method, route, status, durationSeconds }) =>
      requests.observe({ method, route, status: String(status) }, durationSeconds),
    countEvent: ({ eventType, dataOp }) => events.inc({ event_type: eventType, data_op: dataOp }),
    countForgotten: (count) => forgotten.inc(count),
    countPurged: (entity, count) => purged.inc({ entity }, count),
    searchIsCurrent: (entity, atMs) => searchCurrentAt.set(entity, atMs),
  };
}
