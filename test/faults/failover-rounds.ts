import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import type { Failover, FailoverPair } from '../support/failover-pair.ts';
import { SqlLoad } from '../support/sql-load.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';

export interface FailoverFigures {
  readonly how: Failover;
  /** From the end of the old primary to the first record that was confirmed after the promotion; the promotion and the new standby are in it. */
  readonly ms: number;
}

/**
 * In this order: the primary is stopped or killed under load, its standby promoted, and the old one made a standby. Before it is killed, events are committed
 * that the standby never gets: whoever has published one has published what nobody ever committed. One relay runs through all of it. Comes back when
 * all is published; whoever calls judges the topics against the server that is the primary then.
 * @throws Error if the relay ends, or does not publish again.
 */
export async function failoverRounds(
  pair: FailoverPair,
  pipeline: TestPipeline,
  rounds: readonly Failover[],
  onRound: (figures: FailoverFigures) => void = () => undefined,
): Promise<{ readonly refutedTails: number }> {
  await EntityWriter.prepare(pipeline.sql);
  const relay = await pipeline.startRelay({ RELAY_FAILOVER_SLOT: 'true' });
  const load = new SqlLoad(pipeline, { pauseMs: 5 });
  const published = async () => {
    if (!relay.isRunning) throw new Error(`the relay ended: ${relay.tail()}`);
    return (await relay.metric('relay_records_published_total')) ?? 0;
  };
  const publishes = async () => {
    const before = await published();
    await eventually(async () => (await published()) > before + 50, { timeoutMs: 60_000 });
  };
  try {
    for (const how of rounds) {
      await publishes();
      await pair.slotIsSynchronized(pipeline.slot);
      const beginMs = performance.now();
      const writtenBeyond = async (count: number) => {
        await eventually(() => load.count > count + 50, { timeoutMs: 60_000 });
      };
      await pair.failOver(
        how,
        how === 'promotion' ? async () => writtenBeyond(load.count) : undefined,
      );
      await writtenBeyond(load.count);
      await publishes();
      onRound({ how, ms: performance.now() - beginMs });
    }
  } finally {
    await load.stop();
  }
  await pipeline.reconnect();
  await pipeline.caughtUp();
  return { refutedTails: (await relay.metric('relay_tails_refuted_total')) ?? 0 };
}
