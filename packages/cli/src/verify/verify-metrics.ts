import { createMetricsRegistry } from '@outbound/service-kit';
import { Counter, Gauge, type Registry } from 'prom-client';
import { differenceKinds } from './entity-states.ts';
import type { Verdict } from './findings.ts';

/** What `verify --every` exports. A number that is not known is not there: never an old one, never zero. */
export class VerifyMetrics {
  readonly registry: Registry;
  readonly #byKind: Gauge<'aggregate' | 'kind'>;
  readonly #perAggregate: Readonly<
    Record<'undecided' | 'compared' | 'durationSeconds' | 'lastRun', Gauge<'aggregate'>>
  >;
  readonly #failures: Counter;

  constructor(version: string) {
    this.registry = createMetricsRegistry({ prefix: 'outbound_verify_', version });
    const gauge = (name: string, help: string) =>
      new Gauge({
        name: `outbound_verify_${name}`,
        help,
        labelNames: ['aggregate'],
        registers: [this.registry],
      });
    this.#byKind = new Gauge({
      name: 'outbound_verify_differences',
      help: 'Entities whose compacted topic differs from their row, by kind. Absent after a run that failed.',
      labelNames: ['aggregate', 'kind'],
      registers: [this.registry],
    });
    this.#perAggregate = {
      undecided: gauge(
        'undecided',
        'Entities that could not be decided: the relay is behind, or they change all the time.',
      ),
      compared: gauge('entities', 'Entities compared in the last run.'),
      durationSeconds: gauge('duration_seconds', 'How long the last run took.'),
      lastRun: gauge(
        'last_run_timestamp_seconds',
        'When the last run that came to a verdict ended; Unix time.',
      ),
    };
    this.#failures = new Counter({
      name: 'outbound_verify_failures_total',
      help: 'Runs that came to no verdict.',
      registers: [this.registry],
    });
  }

  /** @param atMs when the run ended, milliseconds since 1970. */
  verified(verdict: Verdict, atMs: number): void {
    const { aggregate } = verdict;
    for (const kind of differenceKinds)
      this.#byKind.set({ aggregate, kind }, verdict.findings[kind].count);
    this.#perAggregate.undecided.set({ aggregate }, verdict.undecided);
    this.#perAggregate.compared.set({ aggregate }, verdict.compared);
    this.#perAggregate.durationSeconds.set({ aggregate }, verdict.durationMs / 1000);
    this.#perAggregate.lastRun.set({ aggregate }, atMs / 1000);
  }

  /** A run came to no verdict: what was known is known no more. When the last verdict was stays. */
  failed(): void {
    this.#failures.inc();
    this.#byKind.reset();
    this.#perAggregate.undecided.reset();
    this.#perAggregate.compared.reset();
  }
}
