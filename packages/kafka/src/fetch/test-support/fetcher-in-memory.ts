import type { KafkaError } from '../../kafka-error.ts';
import { Fetcher } from '../fetcher.ts';
import type {
  FetchedRecords,
  FetcherOptions,
  OutOfRange,
  TopicChange,
} from '../fetcher-options.ts';
import { HandClock } from './hand-clock.ts';
import { MemoryLog } from './memory-log.ts';

const stops: (() => Promise<void>)[] = [];

/** To be called after each test. */
export async function stopAll(): Promise<void> {
  for (const stop of stops.splice(0)) await stop();
}

/** A fetcher that runs over a log in memory, and what it has told. Values come as `partition:value`. */
export function reading({
  partitions = 1,
  ...overrides
}: Partial<FetcherOptions> & { partitions?: number } = {}) {
  const clock = new HandClock();
  const log = new MemoryLog(clock, partitions);
  const got: string[] = [];
  const answers: FetchedRecords[] = [];
  const ranges: OutOfRange[] = [];
  const changes: TopicChange[] = [];
  const failed: KafkaError[] = [];
  const waiting: string[] = [];
  const fetcher = new Fetcher({
    log,
    clock,
    random: () => 0,
    onRecords: (fetched) => {
      answers.push(fetched);
      for (const { partition, value } of fetched.records)
        got.push(`${partition}:${value?.toString()}`);
    },
    onOutOfRange: (_, range) => void ranges.push(range),
    onTopicChanged: (_, change) => void changes.push(change),
    onWaiting: (_, why) => void waiting.push(why),
    onFailed: (error) => void failed.push(error),
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    ...overrides,
  });
  const stop = new AbortController();
  const run = fetcher.run(stop.signal);
  run.catch(() => undefined);
  stops.push(async () => {
    stop.abort();
    await run.catch(() => undefined);
  });
  return { clock, log, fetcher, got, answers, ranges, changes, failed, waiting, run, stop };
}
export const at = (partition: number, offset: number) => ({
  topic: 't',
  partition,
  offset: BigInt(offset),
});
export const p = (partition: number) => ({ topic: 't', partition });
