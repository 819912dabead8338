import type { WalVerdict } from '@outbound/service-kit';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RelayErrorCode } from './errors.ts';
import { laneKey } from './kafka/publisher.ts';
import { StuckLanes } from './kafka/stuck-lanes.ts';
import type { RelayObserver, RelayState, SessionGauges } from './relay-observer.ts';
import { createSlotMetrics } from './slot-metrics.ts';

const states = [
  'standby',
  'connecting',
  'streaming',
  'recovering',
  'stopping',
  'stopped',
] as const satisfies readonly RelayState[];

/**
 * The relay's metrics: an observer that counts. What is not known is absent or NaN, never 0 (I11). Labels never hold a key or an
 * event id. `docs/metrics.md` is held equal to what is registered here by a test.
 */
export function createRelayMetrics(
  registry: Registry,
  wallMs: () => number,
  nowMs: () => number = () => performance.now(),
): { observer: RelayObserver; slot: (verdict: WalVerdict | undefined) => void } {
  const registers = [registry];
  let gauges: (() => SessionGauges) | undefined;

  const published = new Counter({
    name: 'relay_records_published_total',
    help: 'Records that Kafka has confirmed, by topic.',
    labelNames: ['topic'],
    registers,
  });
  const publishedBytes = new Counter({
    name: 'relay_published_bytes_total',
    help: 'Bytes of keys and values that Kafka has confirmed.',
    registers,
  });
  const already = new Counter({
    name: 'relay_records_already_published_total',
    help: 'Records left out because their partition held them from before a restart.',
    registers,
  });
  const refutedTails = new Counter({
    name: 'relay_tails_refuted_total',
    help: 'Partitions whose last record was not in the log: they hold events that the database does not have.',
    registers,
  });
  const leftOut = new Counter({
    name: 'relay_events_left_out_total',
    help: 'Events left out because the operator listed them in RELAY_SKIP_EVENTS.',
    registers,
  });
  const deadLetters = new Counter({
    name: 'relay_dead_letters_total',
    help: 'Events that went to the dead letters: `failed` ones could not be published, `parked` ones wait behind such a one.',
    labelNames: ['reason'],
    registers,
  });
  new Gauge({
    name: 'relay_parked_keys',
    help: 'Keys whose events go to the dead letters, by the code of the error that parked them; absent while there is no session.',
    labelNames: ['code'],
    registers,
    collect() {
      this.reset();
      for (const [code, keys] of gauges?.().parkedKeys ?? []) this.set({ code }, keys);
    },
  });
  const lag = new Histogram({
    name: 'relay_delivery_lag_seconds',
    help: 'From the commit in Postgres to the confirmation by Kafka, for each record.',
    buckets: [
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
    ],
    registers,
  });
  const lastDelivery = new Gauge({
    name: 'relay_last_delivery_timestamp_seconds',
    help: 'When Kafka last confirmed a batch; absent before the first.',
    registers,
  });
  // A gauge without labels begins as 0, which would be a delivery in 1970.
  lastDelivery.remove();
  const sendFailures = new Counter({
    name: 'relay_send_failures_total',
    help: 'Sends, or openings of a producer, that failed and are tried again, by error code.',
    labelNames: ['code'],
    registers,
  });
  const reconnects = new Counter({
    name: 'relay_reconnects_total',
    help: 'Sessions that ended with an error, by the side that failed.',
    labelNames: ['side'],
    registers,
  });
  const state = new Gauge({
    name: 'relay_state',
    help: 'One for the state the relay is in, zero for the others.',
    labelNames: ['state'],
    registers,
  });
  new Gauge({
    name: 'relay_inflight_bytes',
    help: 'Read and not confirmed yet; reading pauses at RELAY_MAX_IN_FLIGHT_BYTES.',
    registers,
    collect() {
      this.set(gauges?.().inFlightBytes ?? NaN);
    },
  });
  new Gauge({
    name: 'relay_reading_paused',
    help: 'One while back-pressure holds reading.',
    registers,
    collect() {
      this.set(gauges ? Number(gauges().isPaused) : NaN);
    },
  });
  new Gauge({
    name: 'relay_lane_depth_records',
    help: 'Records queued or unconfirmed, by topic and partition.',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      this.reset();
      for (const [lane, depth] of gauges?.().laneDepths ?? []) this.set(labelsOf(lane), depth);
    },
  });
  const stuck = new StuckLanes(nowMs);
  new Gauge({
    name: 'relay_partition_stuck_seconds',
    help: 'For how long a partition has taken nothing of what is sent to it; absent for all others.',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      this.reset();
      for (const { lane, seconds } of stuck.list()) this.set(labelsOf(lane), seconds);
    },
  });
  new Gauge({
    name: 'relay_withheld_records',
    help: 'Records withheld until the log has shown whether their partitions hold them.',
    registers,
    collect() {
      this.set(gauges?.().withheldRecords ?? NaN);
    },
  });
  const setSlot = createSlotMetrics(registry);

  const setState = (current: RelayState) => {
    for (const each of states) state.set({ state: each }, Number(each === current));
  };

  return {
    slot: setSlot,
    observer: {
      stateChanged: setState,
      waits: () => undefined,
      sessionStarted: (read) => {
        gauges = read;
      },
      sessionEnded: (error) => {
        stuck.clear();
        // A standby that finds the slot held has lost nothing.
        if (error && (gauges || error.recovery.action !== 'standby'))
          reconnects.inc({ side: sideOf(error.code) });
        gauges = undefined;
      },
      eventSkipped: () => leftOut.inc(),
      eventParked: (_, reason) => deadLetters.inc({ reason: reason ? 'failed' : 'parked' }),
      letterTaken: () => undefined,
      recordWithheld: () => undefined,
      tailsAhead: () => undefined,
      tailMet: (_lane, records) => already.inc(records),
      tailsRefuted: (refuted) => refutedTails.inc(refuted.length),
      sendFailed: (error, attempt, lanes) => {
        stuck.failed(lanes, error.code, attempt);
        sendFailures.inc({ code: error.code });
      },
      batchDelivered: ({ topic, partition, records }) => {
        stuck.confirmed(laneKey(topic, partition));
        const nowMs = wallMs();
        let bytes = 0;
        for (const { key, value, timestampMs } of records) {
          // The clocks of two machines may differ: a negative lag is no lag.
          lag.observe(Math.max(0, nowMs - timestampMs) / 1000);
          bytes += key.length + (value?.length ?? 0);
        }
        published.inc({ topic }, records.length);
        publishedBytes.inc(bytes);
        lastDelivery.set(nowMs / 1000);
      },
    },
  };
}

function labelsOf(lane: string): { topic: string; partition: string } {
  const slash = lane.lastIndexOf('/');
  return { topic: lane.slice(0, slash), partition: lane.slice(slash + 1) };
}

function sideOf(code: RelayErrorCode): 'postgres' | 'kafka' | 'relay' {
  if (code.startsWith('SOURCE_')) return 'postgres';
  return code.startsWith('SINK_') ? 'kafka' : 'relay';
}
