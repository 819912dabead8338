import { resolve } from 'node:path';
import { eventually } from '../test/support/eventually.ts';
import type { RelayProcess } from '../test/support/relay-process.ts';
import type { TestPipeline } from '../test/support/test-pipeline.ts';
import { readProcessUsage, type ProcessUsage } from './process-usage.ts';

/** What processes spent during a run of the relay. */
export interface RelayUsage {
  readonly relay: ProcessUsage;
  /** Processor time of the server process that decodes for the relay, seconds. */
  readonly walsenderCpuSeconds: number;
  readonly brokerCpuSeconds: number;
}

/** A relay under measurement: the built bundle, its own process, production settings. */
export interface MeasuredRelay {
  readonly process: RelayProcess;
  /** When it was started, ms since 1970. */
  readonly startedMs: number;
  /** What was spent so far, the start included. */
  usage(): Promise<RelayUsage>;
  /** Ends it as a supervisor would. @throws Error if it does not end in order. */
  stop(): Promise<void>;
}

/** Starts the relay; `env` goes over the pipeline's own. `profile` is a folder for a processor profile. */
export async function measureRelay(
  pipeline: TestPipeline,
  {
    slot = pipeline.slot,
    env = {},
    profile,
  }: { slot?: string; env?: Readonly<Record<string, string>>; profile?: string | undefined } = {},
): Promise<MeasuredRelay> {
  const broker = pipeline.stack.kafka.broker(1);
  const brokerBefore = await readProcessUsage(broker.pid);
  const startedMs = Date.now();
  const process = pipeline.launchRelay(
    { NODE_ENV: 'production', RELAY_STATUS_INTERVAL_MS: '5000', RELAY_SLOT: slot, ...env },
    profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profile)}`],
  );
  return {
    process,
    startedMs,
    async usage() {
      const walsender = await walsenderPid(pipeline, slot);
      const [relay, sender, brokerNow] = await Promise.all([
        readProcessUsage(process.pid),
        readProcessUsage(walsender),
        readProcessUsage(broker.pid),
      ]);
      return {
        relay,
        walsenderCpuSeconds: sender.cpuSeconds,
        brokerCpuSeconds: brokerNow.cpuSeconds - brokerBefore.cpuSeconds,
      };
    },
    async stop() {
      const { code } = await process.terminate();
      if (code !== 0) throw new Error(`the relay ended with ${code}: ${process.tail()}`);
    },
  };
}

async function walsenderPid({ sql }: TestPipeline, slot: string): Promise<number> {
  const { rows } = await sql.query<{ pid: number | null }>(
    'select active_pid as pid from pg_replication_slots where slot_name = $1',
    [slot],
  );
  const pid = rows[0]?.pid;
  if (pid === null || pid === undefined) throw new Error(`nobody reads slot ${slot}`);
  return pid;
}

/**
 * Resolves when the slot has confirmed `targetLsn`, so everything before it is in Kafka.
 * @throws Error if the relay ends before, or after `timeoutMs`.
 */
export async function confirmed(
  pipeline: TestPipeline,
  relay: MeasuredRelay,
  { slot, targetLsn, timeoutMs }: { slot: string; targetLsn: string; timeoutMs: number },
): Promise<void> {
  const reached = eventually(
    async () => {
      if (!relay.process.isRunning) return 'ended';
      const { rows } = await pipeline.sql.query<{ ok: boolean }>(
        'select confirmed_flush_lsn >= $2::pg_lsn as ok from pg_replication_slots where slot_name = $1',
        [slot, targetLsn],
      );
      return rows[0]?.ok === true && 'confirmed';
    },
    { timeoutMs, intervalMs: 50 },
  );
  if ((await reached) === 'ended') throw new Error(`the relay ended: ${relay.process.tail()}`);
}
