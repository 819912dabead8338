import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../support/eventually.ts';
import { TopicAdmin } from '../../readers/topic-admin.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { threeBrokers } from '../three-brokers.ts';
import { morePublished, underLoad } from '../under-load.ts';

/** How long the broker stands still; a minute, or BROKER_HANG_MS. */
const hangMs = Number(process.env['BROKER_HANG_MS'] ?? 60_000);

/** Its sockets stay open and its memory stays full: when it wakes, it has requests to answer that were sent elsewhere since. */
export const row: FaultRow = {
  number: 31,
  fault: 'broker SIGSTOP 60 s with produce in flight',
  expected: 'publishing goes on at the new leaders, and nothing stale is appended when it wakes',
  seeds: 20,
  inCi: false,
  run: async ({ chance, stack }) => {
    const servers = await stack(threeBrokers);
    return underLoad(
      servers,
      { allowedDuplicates: 0, healLimitMs: 120_000 },
      async ({ pipeline, relay }) => {
        await using admin = await TopicAdmin.connect(
          servers.kafka.directBootstrap,
          pipeline.topic('catalog.product-change'),
        );
        await admin.healed();
        await morePublished(relay, chance.int(100, 400));
        const { leader } = chance.pick(await admin.partitions());
        const broker = servers.kafka.broker(leader);
        await broker.pause();
        const pausedMs = performance.now();
        let heldMs: number;
        let inFlight: number;
        try {
          inFlight = await eventually(
            async () => (await relay.metric('relay_inflight_bytes')) ?? 0,
            { timeoutMs: 20_000 },
          );
          const target = await pipeline.walEnd();
          await eventually(async () => reaches(await pipeline.confirmedFlushLsn(), target), {
            timeoutMs: 60_000,
            intervalMs: 100,
          });
          heldMs = performance.now() - pausedMs;
          await delay(Math.max(0, hangMs - heldMs));
        } finally {
          await broker.resume();
        }
        await morePublished(relay, 200);
        await admin.healed();
        return {
          bit: `broker ${leader} stood still for ${Math.round((performance.now() - pausedMs) / 1000)} s, ${inFlight.toLocaleString('en')} bytes in flight when it stopped`,
          judged: [
            judged(
              'I8',
              heldMs < 30_000,
              `publishing went on after ${(heldMs / 1000).toFixed(1)} s`,
            ),
          ],
          figures: { heldSeconds: Math.round(heldMs / 100) / 10 },
        };
      },
    );
  },
};

function reaches(lsn: string | undefined, target: string): boolean {
  return lsn !== undefined && numberOf(lsn) >= numberOf(target);
}

function numberOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
