import { eventually } from '../support/eventually.ts';
import type { RelayProcess } from '../support/relay-process.ts';
import type { SqlLoad } from '../support/sql-load.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';

/** What was seen of a pipeline whose Kafka was away. */
export interface LongOutage {
  /** Whether the slot's position moved although nothing could be published (I6). */
  readonly hasAcknowledged: boolean;
  /** What the relay's memory grew by after it had paused reading. */
  readonly grownBytes: number;
  /** What readiness said. */
  readonly ready: string;
  /** Events that writers committed meanwhile. */
  readonly written: number;
  readonly writtenPerSecond: number;
  /** Log that the slot held back at the end, by the relay's metric. */
  readonly retainedBytes: number;
}

/** Stops every broker, waits until the relay has paused reading and until the time is over, and starts them again. */
export async function longOutage(
  pipeline: TestPipeline,
  relay: RelayProcess,
  load: SqlLoad,
  outageMs: number,
): Promise<LongOutage> {
  const { kafka } = pipeline.stack;
  await kafka.stop();
  const downMs = performance.now();
  const countThen = load.count;
  await eventually(async () => (await relay.metric('relay_reading_paused')) === 1, {
    timeoutMs: Math.max(45_000, outageMs),
    intervalMs: 100,
  });
  const { residentBytes } = relay.memory();
  const confirmed = await pipeline.confirmedFlushLsn();
  let highest = residentBytes;
  await eventually(
    () => {
      highest = Math.max(highest, relay.memory().residentBytes);
      return performance.now() - downMs > outageMs;
    },
    { timeoutMs: outageMs + 10_000, intervalMs: 250 },
  );
  const written = load.count - countThen;
  const outage = {
    hasAcknowledged: (await pipeline.confirmedFlushLsn()) !== confirmed,
    grownBytes: highest - residentBytes,
    ready: (await relay.ready()).status,
    written,
    writtenPerSecond: written / (outageMs / 1000),
    retainedBytes: (await relay.metric('relay_slot_retained_wal_bytes')) ?? Number.NaN,
  };
  await kafka.start();
  return outage;
}
