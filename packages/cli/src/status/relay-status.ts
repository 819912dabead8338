import { parseMetrics, quantile, type Sample } from './metrics-text.ts';

/** What the relay says about itself. Null is what it does not know. */
export interface RelayStatus {
  /** `streaming`, `standby`, `connecting`, `recovering`, `stopping`, `stopped`. */
  readonly state: string | null;
  /** Commit to confirmation, over all records since the relay's start. */
  readonly delivery_lag_p50_seconds: number | null;
  readonly delivery_lag_p99_seconds: number | null;
  readonly last_delivery_at: string | null;
  readonly in_flight_bytes: number | null;
  readonly reading_paused: boolean | null;
  /**
   * Partitions that hold events which the database does not have, as far as the relay has found out since its start.
   */
  readonly refuted_partitions: number | null;
}

/** Asks the relay's admin port. Rejects with a sentence if it does not answer. */
export async function readRelayStatus(adminUrl: string, signal: AbortSignal): Promise<RelayStatus> {
  const url = `${adminUrl.replace(/\/$/, '')}/metrics`;
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) });
  } catch (cause) {
    throw new Error(`the relay does not answer at ${url}`, { cause });
  }
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return relayStatus(parseMetrics(await response.text()));
}

/** @throws Error if these are no metrics of a relay. */
export function relayStatus(samples: readonly Sample[]): RelayStatus {
  const states = samples.filter(({ name }) => name === 'relay_state');
  const only = (name: string) => {
    const value = samples.find((sample) => sample.name === name)?.value;
    return value === undefined || !Number.isFinite(value) ? null : value;
  };
  if (!samples.some(({ name }) => name === 'relay_wal_lag_bytes'))
    throw new Error('what answers there is no relay');
  const lastDelivery = only('relay_last_delivery_timestamp_seconds');
  const paused = only('relay_reading_paused');
  const lag = 'relay_delivery_lag_seconds';
  return {
    state: states.find(({ value }) => value === 1)?.labels['state'] ?? null,
    delivery_lag_p50_seconds: quantile(samples, lag, 0.5),
    delivery_lag_p99_seconds: quantile(samples, lag, 0.99),
    // A gauge that was never set is 0 in prom-client: 1970 means "not yet".
    last_delivery_at:
      lastDelivery === null || lastDelivery === 0
        ? null
        : new Date(lastDelivery * 1000).toISOString(),
    in_flight_bytes: only('relay_inflight_bytes'),
    reading_paused: paused === null ? null : paused === 1,
    refuted_partitions: only('relay_tails_refuted_total'),
  };
}
