import { describe, expect, it } from 'vitest';
import type { KafkaRecord } from '@outbound/kafka';
import { ProgressCounter, ProgressEstimator, type RebuildProgress } from './rebuild-progress.ts';

const sample = (atMs: number, offsets: number) => ({
  atMs,
  offsets,
  recordCount: offsets,
  byteCount: offsets * 10,
});

describe('the progress of a rebuild', () => {
  it('says rate and time left', () => {
    const estimator = new ProgressEstimator(1000, 0);
    expect(estimator.add(sample(1000, 100))).toEqual({
      recordCount: 100,
      byteCount: 1000,
      share: 0.1,
      recordsPerSecond: 100,
      bytesPerSecond: 1000,
      secondsLeft: 9,
    });
  });

  it('goes by the last ten seconds, not by how it began', () => {
    const estimator = new ProgressEstimator(1000, 0);
    for (let second = 1; second <= 10; second++) estimator.add(sample(second * 1000, second));
    for (let second = 11; second <= 20; second++)
      estimator.add(sample(second * 1000, 10 + (second - 10) * 20));
    expect(estimator.add(sample(21_000, 230))).toMatchObject({
      recordsPerSecond: 20,
      secondsLeft: 38.5,
    });
  });

  it('does not know the time left before anything has moved', () => {
    expect(new ProgressEstimator(10, 0).add(sample(1000, 0)).secondsLeft).toBeUndefined();
  });

  it('is done at once for an empty topic', () => {
    expect(new ProgressEstimator(0, 0).add(sample(1, 0))).toMatchObject({
      share: 1,
      secondsLeft: 0,
    });
  });

  it('counts gaps as done when the end is reached, and what lies behind the end not at all', () => {
    const told: RebuildProgress[] = [];
    let now = 0;
    const counter = new ProgressCounter(
      (progress) => told.push(progress),
      () => (now += 1000),
    );
    counter.begin(
      [
        { topic: 't', partition: 0, low: 10n, high: 20n },
        { topic: 't', partition: 1, low: 0n, high: 10n },
      ],
      new Map([[1, 5n]]),
    );
    const record = (partition: number, offset: bigint): KafkaRecord => ({
      topic: 't',
      partition,
      offset,
      timestampMs: 0,
      key: Buffer.from('k'),
      value: null,
      headers: {},
      headerList: () => [],
    });
    counter.add([record(0, 12n)], record(0, 12n));
    counter.add([record(1, 30n)], record(1, 30n));
    expect(told.map(({ share }) => share)).toEqual([3 / 15, 8 / 15]);
    counter.end();
    counter.end();
    counter.add([record(0, 31n)], record(0, 31n));
    expect(told.map(({ share }) => share)).toEqual([3 / 15, 8 / 15, 1]);
    expect(told.at(-1)).toMatchObject({ recordCount: 2, byteCount: 2, secondsLeft: 0 });
  });
});
