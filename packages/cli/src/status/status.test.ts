import { describe, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';
import { topicLag } from './group-lag.ts';
import { inParallel } from './in-parallel.ts';
import { parseMetrics, quantile } from './metrics-text.ts';
import { learn } from './part.ts';
import { relayStatus } from './relay-status.ts';
import { statusJson } from './status-verb.ts';
import { statusText } from './status-text.ts';
import type { Status } from './status.ts';

const { signal } = new AbortController();
const range = (partition: number, low: number, high: number) => ({
  partition,
  low: BigInt(low),
  high: BigInt(high),
});

describe('the lag of a group', () => {
  test('is counted from its positions to the ends, and says which record comes next', () => {
    expect(
      topicLag(
        [range(0, 0, 10), range(1, 0, 5)],
        new Map([
          [0, 7n],
          [1, 5n],
        ]),
      ),
    ).toEqual({ records: 3, unplaced: 0, expired: 0, next: [{ partition: 0, offset: 7n }] });
  });

  test('is unknown where it has no position and there are records', () => {
    const ranges = [range(0, 0, 10), range(1, 0, 5), range(2, 4, 4)];
    expect(topicLag(ranges, new Map([[0, 10n]]))).toMatchObject({ records: null, unplaced: 1 });
    expect(
      topicLag(
        ranges,
        new Map([
          [0, 10n],
          [1, 5n],
        ]),
      ),
    ).toMatchObject({ records: 0, unplaced: 0 });
  });

  test('leaves out what retention removed, and counts it apart', () => {
    expect(topicLag([range(0, 6, 10)], new Map([[0, 2n]]))).toEqual({
      records: 4,
      unplaced: 0,
      expired: 4,
      next: [{ partition: 0, offset: 6n }],
    });
  });

  test('is none for a position beyond the end, as after a topic was made anew', () => {
    expect(topicLag([range(0, 0, 3)], new Map([[0, 9n]]))).toMatchObject({ records: 0, next: [] });
  });
});

describe("a relay's metrics", () => {
  const text = (lines: string) => parseMetrics(lines);
  const histogram = (counts: readonly (readonly [string, number])[]) =>
    text(counts.map(([le, count]) => `lag_bucket{le="${le}"} ${count}`).join('\n'));

  test('are read with their labels; comments and other forms are left out', () => {
    expect(
      text('# HELP a b\na 1\nb{x="1",y="q\\"q"} 2.5\nc{le="+Inf"} +Inf\nd Nan\n???\n'),
    ).toEqual([
      { name: 'a', labels: {}, value: 1 },
      { name: 'b', labels: { x: '1', y: 'q\\"q' }, value: 2.5 },
      { name: 'c', labels: { le: '+Inf' }, value: Infinity },
      { name: 'd', labels: {}, value: NaN },
    ]);
  });

  test('give quantiles as Prometheus does, and none without an observation', () => {
    const samples = histogram([
      ['1', 50],
      ['2', 90],
      ['4', 100],
      ['+Inf', 100],
    ]);
    expect(quantile(samples, 'lag', 0.5)).toBe(1);
    expect(quantile(samples, 'lag', 0.7)).toBe(1.5);
    expect(quantile(samples, 'lag', 0.99)).toBeCloseTo(3.8);
    expect(
      quantile(
        histogram([
          ['1', 0],
          ['+Inf', 4],
        ]),
        'lag',
        0.5,
      ),
    ).toBe(1);
    expect(
      quantile(
        histogram([
          ['1', 0],
          ['+Inf', 0],
        ]),
        'lag',
        0.5,
      ),
    ).toBe(null);
    expect(quantile([], 'lag', 0.5)).toBe(null);
  });

  test('that are not known are null and not 0, and those of another program are refused', () => {
    expect(
      relayStatus(
        text(
          'relay_wal_lag_bytes Nan\nrelay_state{state="standby"} 1\nrelay_state{state="streaming"} 0\nrelay_inflight_bytes Nan\nrelay_last_delivery_timestamp_seconds 0\n',
        ),
      ),
    ).toEqual({
      state: 'standby',
      delivery_lag_p50_seconds: null,
      delivery_lag_p99_seconds: null,
      last_delivery_at: null,
      in_flight_bytes: null,
      reading_paused: null,
      refuted_partitions: null,
    });
    expect(() => relayStatus(text('up 1\n'))).toThrow('no relay');
  });
});

test('a part that fails, or is interrupted, is unknown with its reason', async () => {
  expect(await learn(() => Promise.reject(new Error('no such host')), signal)).toEqual({
    isKnown: false,
    why: 'no such host',
  });
  const stop = new AbortController();
  const learning = learn(() => new Promise(() => undefined), stop.signal);
  stop.abort();
  expect(await learning).toMatchObject({ isKnown: false });
});

test('nothing that is unknown looks like nothing', () => {
  const why = { isKnown: false, why: 'it was not asked' } as const;
  const status: Status = {
    slot: why,
    publication: why,
    outbox: why,
    operations: why,
    relay: why,
    kafka: why,
    deadLetters: why,
  };
  const names = { slot: 'outbound', publication: 'outbound', nowMs: 0 };
  const plain = (text: string) => text;
  const text = statusText(status, names, {
    colors: { bold: plain, red: plain } as never,
    table: () => '',
  });
  expect(text.split('\n').filter((line) => line !== '')).toHaveLength(7);
  for (const line of text.split('\n').filter((each) => each !== ''))
    expect(line).toContain('unknown: it was not asked');
  expect(statusJson(status)).toMatchObject({ slot: null, topics: null, groups: null, relay: null });
  expect(statusJson(status)['dead_letters']).toBe(null);
});

test('without any setting it says which it needs', async () => {
  expect(await outbound(['status'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('SETTING_MISSING: nothing says where to look') as string,
  });
  expect((await outbound(['status', '--watch', '0'])).code).toBe(2);
});

test('many questions are out a few at a time, and their answers keep their order', async () => {
  let out = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const answers = inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    most = Math.max(most, ++out);
    // The later one of two ends first.
    await new Promise<void>((resolve) => {
      ends.push(resolve);
      if (ends.length === 2 || item === 5) for (const end of ends.splice(0).reverse()) end();
    });
    out -= 1;
    return item * 10;
  });
  expect(await answers).toEqual([10, 20, 30, 40, 50]);
  expect(most).toBe(2);
  await expect(inParallel([1], 2, () => Promise.reject(new Error('refused')))).rejects.toThrow(
    'refused',
  );
});
