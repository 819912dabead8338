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
 * @throws Error if a kill moved no leader: then it was no fault.
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
    const before = await admin.partitions();
    const victim = before[Math.floor(random() * before.length)]?.leader ?? -1;
    await kafka.broker(victim).kill();
    await morePublished(relay, 200);
    const after = new Map(
      (await admin.partitions()).map(({ partition, leader }) => [partition, leader]),
    );
    const now = before.filter(
      ({ partition, leader }) => leader === victim && after.get(partition) !== victim,
    ).length;
    if (now === 0) throw new Error(`broker ${victim} was killed, and no leader moved`);
    moved += now;
    await kafka.broker(victim).start();
  }
  return { kills, moved };
}
