import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/**
 * A registry of a service's own (never the global one, so that two services or tests in one process do not mix), with the
 * process metrics of prom-client and `<prefix>build_info{version,node}` = 1.
 */
export function createMetricsRegistry({
  prefix,
  version,
}: {
  /** `relay_`, for example. */
  readonly prefix: string;
  readonly version: string;
}): Registry {
  const registry = new Registry();
  // The default precision of 10 ms keeps an idle process busy: 0.6 % of a core, measured.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  new Gauge({
    name: `${prefix}build_info`,
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.version }, 1);
  return registry;
}
