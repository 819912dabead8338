import { eventually } from '../support/eventually.ts';
import type { RelayProcess } from '../support/relay-process.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';
import { morePublished } from './matrix/under-load.ts';
import { TopicAdmin } from './readers/topic-admin.ts';

/** What was done to the leaders of the change topic. */
export interface LeaderKills {
  readonly kills: number;
  /** Partitions that had another leader after a kill. */
  readonly moved: number;
}

/**
 * Kills a broker that leads partitions of the change topic, sees that publishing goes on without it, and starts it again; so many times.
 * @throws Error if its partitions get no other leader: then it was no fault.
 */
export async function killLeaders(
  pipeline: TestPipeline,
  relay: RelayProcess,
  { kills, random }: { readonly kills: number; readonly random: () => number },
): Promise<LeaderKills> {
  const { kafka } = pipeline.stack;
  await using admin = await TopicAdmin.connect(
    kafka.directBootstrap,
    pipeline.topic('catalog.product-change'),
  );
  let moved = 0;
  for (let round = 0; round < kills; round += 1) {
    await morePublished(relay, 200);
    // With a replica missing from before, nothing could go on without another one.
    await admin.healed();
    const before = await admin.partitions();
    const victim = before[Math.floor(random() * before.length)]?.leader ?? -1;
    await kafka.broker(victim).kill();
    // Until they have moved, the other partitions alone could be what flows.
    const led = before.filter(({ leader }) => leader === victim);
    await eventually(
      async () => {
        const now = new Map(
          (await admin.partitions()).map((each) => [each.partition, each.leader]),
        );
        return led.every(({ partition }) => {
          const leader = now.get(partition) ?? -1;
          return leader >= 0 && leader !== victim;
        });
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
    moved += led.length;
    await morePublished(relay, 200);
    await kafka.broker(victim).start();
  }
  return { kills, moved };
}
