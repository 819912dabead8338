import { createMetricsRegistry } from '@outbound/service-kit';
import { expect, it } from 'vitest';
import { RelayError, type RelayErrorCode } from './errors.ts';
import { defaultSendLimits } from './kafka/send-plan.ts';
import { createRelayMetrics } from './metrics.ts';
import { observers } from './observers.ts';
import { Readiness } from './readiness.ts';
import { silentObserver, type RelayState } from './relay-observer.ts';
import { runRelay } from './relay.ts';
import type { ChangeStream } from './wal/change-source.ts';
import { noLsn } from './wal/lsn.ts';

const identity = { systemIdentifier: '1', timeline: 1, database: 'd', slot: 's' };
const stream: ChangeStream = {
  identity,
  startLsn: noLsn,
  heldForMs: Infinity,
  flushedLsn: () => Promise.resolve(noLsn),
  report: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  holdsSlot: () => Promise.resolve(true),
  close: () => Promise.resolve(),
};

/** Runs a relay whose attempts to take the slot end by these codes, one after the other; after the last one it is stopped. */
async function attempts(...codes: (RelayErrorCode | 'taken')[]) {
  const stop = new AbortController();
  const states: RelayState[] = [];
  const ended: (string | undefined)[] = [];
  const readiness = new Readiness();
  const ready: string[] = [];
  const registry = createMetricsRegistry({ prefix: 'relay_', version: '1' });
  const metrics = createRelayMetrics(registry, () => 0);
  await runRelay(
    {
      source: {
        open: () => {
          const code = codes.shift();
          if (code === 'taken') return Promise.resolve(stream);
          if (codes.length === 0) stop.abort();
          return Promise.reject(new RelayError(code ?? 'INVARIANT_BROKEN', 'x'));
        },
      },
      publisher: {
        open: () => {
          stop.abort();
          return Promise.reject(new RelayError('SINK_UNAVAILABLE', 'x'));
        },
      },
      eventTypes: new Map(),
      clock: {
        nowMs: () => 0,
        wallMs: () => 0,
        sleep: () => {
          ready.push(`${readiness.relay.ok && readiness.kafka.ok}: ${readiness.relay.detail}`);
          return Promise.resolve();
        },
      },
      random: () => 0.5,
      settings: {
        outbox: { schema: 'public', name: 'outbox' },
        limits: defaultSendLimits,
        maxInFlightBytes: 1,
        drainMs: 0,
        stallLimitMs: 1,
        skipEvents: new Set(),
      },
      observer: observers(
        silentObserver,
        metrics.observer,
        {
          stateChanged: (state) => states.push(state),
          sessionEnded: (error) => ended.push(error?.code),
        },
        readiness.observer,
      ),
      failPoint: () => undefined,
    },
    stop.signal,
  );
  const text = await registry.metrics();
  const reconnects = [...text.matchAll(/^relay_reconnects_total\{.*\} (\d+)$/gm)].map(([, n]) => n);
  return { states, ended, ready, reconnects, text };
}

it('a standby is steadily one: a state, a line, readiness, and no reconnect for all its questions', async () => {
  const seen = await attempts(...Array<RelayErrorCode>(6).fill('SOURCE_SLOT_BUSY'));
  expect(seen.states).toEqual(['connecting', 'standby', 'stopped']);
  expect(seen.ended).toEqual(['SOURCE_SLOT_BUSY', undefined]);
  expect(new Set(seen.ready)).toEqual(new Set(['true: standby: x']));
  expect(seen.reconnects).toEqual([]);
});

it('a standby that gets the slot connects, and one whose server goes away recovers', async () => {
  const seen = await attempts(
    'SOURCE_SLOT_BUSY',
    'SOURCE_CONNECTION_LOST',
    'SOURCE_SLOT_BUSY',
    'taken',
  );
  expect(seen.states).toEqual([
    ...['connecting', 'standby', 'recovering', 'standby', 'connecting', 'stopping', 'stopped'],
  ]);
  expect(seen.reconnects).toEqual(['1']);
});

it('a stop in the midst of an attempt is no failure', async () => {
  const seen = await attempts('SOURCE_CONNECTION_LOST');
  expect(seen.ended).toEqual([undefined]);
});

it('the time of the last delivery is absent before the first', async () => {
  const { text } = await attempts('SOURCE_SLOT_BUSY');
  expect(text).toContain('# TYPE relay_last_delivery_timestamp_seconds gauge');
  expect(text).not.toMatch(/^relay_last_delivery_timestamp_seconds /m);
});

it('a partition that takes nothing is a metric of its own, until it takes something or its session ends', async () => {
  const registry = createMetricsRegistry({ prefix: 'relay_', version: '1' });
  let nowMs = 0;
  const { observer } = createRelayMetrics(
    registry,
    () => 0,
    () => nowMs,
  );
  const stuck = async () =>
    [...(await registry.metrics()).matchAll(/^relay_partition_stuck_seconds(\{.*)$/gm)].map(
      ([, rest]) => rest,
    );
  expect(await stuck()).toEqual([]);
  observer.sendFailed(new RelayError('SINK_UNAVAILABLE', 'x'), 0, ['a.b/3', 'a.b/4']);
  nowMs = 7000;
  observer.sendFailed(new RelayError('SINK_PARTITION_UNAVAILABLE', 'x'), 1, ['a.b/3']);
  observer.batchDelivered({ topic: 'a.b', partition: 4, records: [] });
  expect(await stuck()).toEqual(['{topic="a.b",partition="3"} 7']);
  observer.sessionEnded(undefined, undefined);
  expect(await stuck()).toEqual([]);
});
