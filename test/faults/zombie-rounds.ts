import { RelayPair } from '../support/relay-pair.ts';
import { EntityWriter } from '../support/entity-writer.ts';
import { SqlLoad } from '../support/sql-load.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';

/** Times that suit rounds: the server waits a second for a relay that stands still. */
export const zombieEnv = {
  RELAY_WAL_SENDER_TIMEOUT_MS: '1000',
  RELAY_STALL_LIMIT_MS: '600',
  RELAY_STATUS_INTERVAL_MS: '200',
} as const;

/**
 * So many times: the active relay is stopped with batches ready to send (SIGSTOP, under load on few hot entities: each of their versions soon has a
 * successor), the standby takes the slot and publishes newer versions, the old one wakes up, has to become a standby, and is the next to take over.
 * Comes back when all is published; whoever calls judges the topics.
 * @returns for each round the ms from the stop to the standby's first record.
 */
export async function zombieRounds(
  pipeline: TestPipeline,
  rounds: number,
  onRound: (round: number, takeoverMs: number) => void = () => undefined,
): Promise<number[]> {
  await EntityWriter.prepare(pipeline.sql);
  await using pair = await RelayPair.start(pipeline, zombieEnv);
  const load = new SqlLoad(pipeline, { writers: 6, entities: 2, pauseMs: 2 });
  const times: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const ms = await pair.takeOver('hang', { records: 50 });
      times.push(ms);
      onRound(round, ms);
    }
  } finally {
    await load.stop();
  }
  await pipeline.caughtUp();
  return times;
}
