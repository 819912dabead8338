import { setTimeout as delay } from 'node:timers/promises';
import { TestPipeline } from '../test/support/test-pipeline.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { dropSlot } from './drain.ts';
import { readProcessUsage } from './process-usage.ts';
import { measureRelay } from './relay-run.ts';

/** What a relay costs that has nothing to do. */
export interface IdleRun {
  readonly seconds: number;
  /** Share of one core. */
  readonly coreShare: number;
  readonly peakResidentBytes: number;
}

const settleSeconds = 5;

/** Starts a relay, lets its start-up pass, and counts its processor time while nothing is written. */
export async function runIdle(
  stack: TestStack,
  { seconds }: { seconds: number },
): Promise<IdleRun> {
  await using pipeline = await TestPipeline.create(stack);
  const relay = await measureRelay(pipeline);
  await relay.process.reached('streaming');
  await delay(settleSeconds * 1000);
  const before = await readProcessUsage(relay.process.pid);
  const startedMs = performance.now();
  await delay(seconds * 1000);
  const after = await readProcessUsage(relay.process.pid);
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  await relay.stop();
  await dropSlot(pipeline, pipeline.slot);
  return {
    seconds: elapsedSeconds,
    coreShare: (after.cpuSeconds - before.cpuSeconds) / elapsedSeconds,
    peakResidentBytes: after.peakResidentBytes,
  };
}
