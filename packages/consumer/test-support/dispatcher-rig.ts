import type { KafkaRecord } from '@outbound/kafka';
import { systemClock } from '@outbound/service-kit';
import type { BatchLimits } from '../src/subscribe/batch-due.ts';
import { Committer, type CommitPosition } from '../src/subscribe/committer.ts';
import { Dispatcher } from '../src/subscribe/dispatcher.ts';
import type { Deliver } from '../src/subscribe/dispatcher-options.ts';
import type { Life } from '../src/subscribe/life.ts';

/** A record of ten bytes. */
export function record(partition: number, offset: number, key: string | null): KafkaRecord {
  return {
    topic: 't',
    partition,
    offset: BigInt(offset),
    timestampMs: 0,
    key: key === null ? null : Buffer.from(key),
    headers: {},
    headerList: () => [],
    value: Buffer.alloc(10),
  };
}

/** A dispatcher over a Kafka that only remembers. */
export function startDispatcher(
  deliver: Deliver,
  options: {
    concurrency?: number;
    maxEvents?: number;
    maxBytes?: number;
    maxBytesInAll?: number;
    batch?: BatchLimits;
    partitions?: number;
    mayHandle?: () => boolean;
    commit?: () => Promise<void>;
    commitIntervalMs?: number;
  } = {},
) {
  const held = new Set<number>();
  const committed: CommitPosition[] = [];
  const failures: unknown[] = [];
  const ignore = () => undefined;
  const over = new AbortController();
  const committer: Committer = new Committer({
    clock: systemClock,
    intervalMs: options.commitIntervalMs ?? 60_000,
    send: async (positions) => {
      await options.commit?.();
      committed.push(...positions);
    },
    isOurs: (work) => dispatcher.isOurs(work),
    ours: () => dispatcher.works,
    onRefused: (error) => failures.push(error),
    over: over.signal,
    log: { info: ignore, warn: ignore, error: ignore },
  });
  const dispatcher: Dispatcher = new Dispatcher({
    topics: new Map([['t', { batch: options.batch, deliver }]]),
    prepare: () => Promise.resolve(),
    fetch: {
      pause: (partitions) => partitions.forEach(({ partition }) => held.add(partition)),
      resume: (partitions) => partitions.forEach(({ partition }) => held.delete(partition)),
    },
    committer,
    mayHandle: options.mayHandle ?? (() => true),
    concurrency: options.concurrency ?? 4,
    limits: {
      maxEvents: options.maxEvents ?? 100,
      maxBytes: options.maxBytes ?? 1 << 20,
      maxBytesInAll: options.maxBytesInAll ?? 1 << 30,
    },
    clock: systemClock,
    over: over.signal,
    onFailure: (error) => {
      failures.push(error);
      dispatcher.close();
    },
  });
  const assign = (partition: number, offset = 0) =>
    dispatcher.assign({ topic: 't', partition, offset: BigInt(offset) });
  for (let partition = 0; partition < (options.partitions ?? 3); partition += 1) assign(partition);
  const take = (
    partition: number,
    records: readonly KafkaRecord[],
    from?: number,
    byteCount = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
  ) => {
    const next = (records.at(-1)?.offset ?? -1n) + 1n;
    const reached = dispatcher.find({ topic: 't', partition })?.tracker.reached ?? 0n;
    dispatcher.take({
      topic: 't',
      partition,
      records,
      from: from === undefined ? reached : BigInt(from),
      next,
      highWatermark: next,
      lastStableOffset: next,
      byteCount,
      askedAtMs: 0,
    });
  };
  const revoke = (partitions: readonly number[], limitMs: number) =>
    dispatcher.revoke(
      partitions.map((partition) => ({ topic: 't', partition })),
      limitMs,
    );
  const workOf = (partition: number) => {
    const work = dispatcher.find({ topic: 't', partition });
    if (!work) throw new Error(`partition ${partition} is not assigned`);
    return work;
  };
  return { dispatcher, assign, workOf, take, revoke, held, committed, failures };
}

/** A handler whose deliveries end when the test says so. */
export function manual() {
  const out: {
    readonly record: KafkaRecord;
    readonly life: Life;
    end(): void;
    fail(): void;
    giveUp(): void;
  }[] = [];
  const deliver: Deliver = {
    one: (each, life) =>
      new Promise((resolve, reject) =>
        out.push({
          record: each,
          life,
          end: () => resolve(true),
          fail: () => reject(new Error('poison')),
          giveUp: () => resolve(false),
        }),
      ),
    batch: () => true,
  };
  return { deliver, out };
}

/** A handler that is done when it returns. */
export function immediate(handle: (record: KafkaRecord) => void): Deliver {
  return {
    one: (each) => {
      handle(each);
      return true;
    },
    batch: (records) => {
      records.forEach(handle);
      return true;
    },
  };
}

/** Records of these keys, from offset 0 on. */
export const keyed = (partition: number, ...keys: (string | null)[]) =>
  keys.map((key, offset) => record(partition, offset, key));
