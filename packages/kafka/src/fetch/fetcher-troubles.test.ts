import { afterEach, describe, expect, it } from 'vitest';
import { KafkaError } from '../kafka-error.ts';
import { at, reading, stopAll } from './test-support/fetcher-in-memory.ts';

afterEach(stopAll);

const passing = ['KAFKA_UNAVAILABLE', 'KAFKA_PARTITION_UNAVAILABLE'] as const;
const verdicts = ['KAFKA_AUTH_FAILED', 'KAFKA_UNSUPPORTED', 'KAFKA_FORBIDDEN'] as const;
const errors = (code: (typeof passing)[number] | (typeof verdicts)[number], count: number) =>
  Array.from({ length: count }, () => new KafkaError(code, `a whole answer with ${code}`));

describe.each(passing)('%s', (code) => {
  it('of a whole fetch ends nobody: it is asked again until it has passed', async () => {
    const { log, fetcher, clock, got, failed } = reading();
    log.rejections.fetch = errors(code, 3);
    await log.partition(0).append('a');
    fetcher.assign([at(0, 0)]);
    await clock.advance(5000);
    expect(failed).toEqual([]);
    expect(got).toEqual(['0:a']);
  });

  it('of a question for leaders ends nobody', async () => {
    const { log, fetcher, clock, got, failed } = reading();
    log.rejections.topics = errors(code, 3);
    await log.partition(0).append('a');
    fetcher.assign([at(0, 0)]);
    await clock.advance(5000);
    expect(failed).toEqual([]);
    expect(got).toEqual(['0:a']);
  });

  it('of a question for offsets ends nobody', async () => {
    const { log, fetcher, clock, ranges, failed } = reading();
    log.rejections.offsets = errors(code, 3);
    await log.partition(0).append('a');
    await log.partition(0).append('b');
    log.partition(0).logStart = 1;
    fetcher.assign([at(0, 0)]);
    await clock.advance(5000);
    expect(failed).toEqual([]);
    expect(ranges).toEqual([{ position: 0n, logStart: 1n, end: 2n }]);
  });
});

describe.each(verdicts)('%s', (code) => {
  it.each(['fetch', 'topics', 'offsets'] as const)(
    'of a whole answer to %s is told, and tried again: only a person can change it',
    async (what) => {
      const { log, fetcher, clock, failed } = reading();
      log.rejections[what] = errors(code, 1);
      await log.partition(0).append('a');
      await log.partition(0).append('b');
      log.partition(0).logStart = 1;
      fetcher.assign([at(0, 0)]);
      await clock.advance(5000);
      expect(failed.map((error) => error.code)).toEqual([code]);
      expect(log.rejections[what]).toEqual([]);
    },
  );
});
