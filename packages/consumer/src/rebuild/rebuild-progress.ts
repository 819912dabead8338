import type { KafkaRecord } from '@outbound/kafka';
import type { PartitionRange } from '../topic-reader/topic-record.ts';

/** How far a rebuild is. */
export interface RebuildProgress {
  readonly recordCount: number;
  /** Keys and values. */
  readonly byteCount: number;
  /** Of the offsets that were there when it began, gaps included: 0 to 1. */
  readonly share: number;
  /** Over the last few seconds; 0 until there is something to tell. */
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Estimated from the last few seconds; undefined if it cannot be said. */
  readonly secondsLeft: number | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly offsets: number;
  readonly recordCount: number;
  readonly byteCount: number;
}

const windowMs = 10_000;

/** Estimates rate and time left from what has been done; has no clock of its own. */
export class ProgressEstimator {
  readonly #totalOffsets: number;
  readonly #samples: Sample[];

  /** @param totalOffsets from where each partition begins to its end, summed. */
  constructor(totalOffsets: number, nowMs: number) {
    this.#totalOffsets = totalOffsets;
    this.#samples = [{ atMs: nowMs, offsets: 0, recordCount: 0, byteCount: 0 }];
  }

  /** @param sample everything since the beginning; `offsets` of `totalOffsets`. */
  add(sample: Sample): RebuildProgress {
    this.#samples.push(sample);
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) <= sample.atMs - windowMs)
      this.#samples.shift();
    const first = this.#samples[0] ?? sample;
    const seconds = (sample.atMs - first.atMs) / 1000;
    const per = (pick: (of: Sample) => number) =>
      seconds > 0 ? (pick(sample) - pick(first)) / seconds : 0;
    const left = Math.max(0, this.#totalOffsets - sample.offsets);
    const offsetsPerSecond = per(({ offsets }) => offsets);
    return {
      recordCount: sample.recordCount,
      byteCount: sample.byteCount,
      share: this.#totalOffsets === 0 ? 1 : Math.min(1, sample.offsets / this.#totalOffsets),
      recordsPerSecond: per(({ recordCount }) => recordCount),
      bytesPerSecond: per(({ byteCount }) => byteCount),
      secondsLeft: left === 0 ? 0 : offsetsPerSecond > 0 ? left / offsetsPerSecond : undefined,
    };
  }
}

const tellEveryMs = 500;

/** Counts what goes by, and tells it now and then until the end is reached. */
export class ProgressCounter {
  readonly #tell: ((progress: RebuildProgress) => void) | undefined;
  readonly #clock: () => number;
  readonly #next = new Map<number, bigint>();
  readonly #ends = new Map<number, bigint>();
  #estimator = new ProgressEstimator(0, 0);
  #toldAtMs = -Infinity;
  #offsets = 0;
  #recordCount = 0;
  #byteCount = 0;
  #hasEnded = false;

  constructor(
    tell: ((progress: RebuildProgress) => void) | undefined,
    clock: () => number = () => performance.now(),
  ) {
    this.#tell = tell;
    this.#clock = clock;
  }

  /** @param from where each partition begins, where that is not its first record. */
  begin(ranges: readonly PartitionRange[], from: ReadonlyMap<number, bigint>): void {
    let total = 0;
    for (const { partition, low, high } of ranges) {
      const start = from.get(partition) ?? low;
      this.#next.set(partition, start > low ? start : low);
      this.#ends.set(partition, high);
      total += Number(high - (this.#next.get(partition) ?? high));
    }
    this.#estimator = new ProgressEstimator(total, this.#clock());
  }

  /** Records of one partition, `last` being the last of them. */
  add(records: readonly KafkaRecord[], { partition, offset }: KafkaRecord): void {
    if (this.#hasEnded) return;
    const next = this.#next.get(partition) ?? offset;
    const end = this.#ends.get(partition) ?? offset + 1n;
    const reached = offset + 1n < end ? offset + 1n : end;
    if (reached > next) this.#offsets += Number(reached - next);
    this.#next.set(partition, reached > next ? reached : next);
    this.#recordCount += records.length;
    for (const { key, value } of records)
      this.#byteCount += (key?.length ?? 0) + (value?.length ?? 0);
    if (this.#clock() - this.#toldAtMs >= tellEveryMs) this.#say();
  }

  /** Everything has been handed out; gaps at the ends too. */
  end(): void {
    if (this.#hasEnded) return;
    for (const [partition, end] of this.#ends)
      this.#offsets += Math.max(0, Number(end - (this.#next.get(partition) ?? end)));
    this.#say();
    this.#hasEnded = true;
  }

  #say(): void {
    this.#toldAtMs = this.#clock();
    this.#tell?.(
      this.#estimator.add({
        atMs: this.#toldAtMs,
        offsets: this.#offsets,
        recordCount: this.#recordCount,
        byteCount: this.#byteCount,
      }),
    );
  }
}
