import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { readTopics } from '../support/read-topics.ts';
import type { TestPipeline } from '../support/test-pipeline.ts';

/** What happened to the compacted topic. */
export interface CompactionRace {
  readonly kills: number;
  /** Events written. */
  readonly written: number;
  /** Records that compaction has left of them. */
  readonly left: number;
}

/** Brokers that clean at once: 15 s by default. */
export const quickCleaner = { 'log.cleaner.backoff.ms': '200' };

/**
 * Lets the state topic be compacted as fast as Kafka can while a relay is killed again and again, and comes back when far fewer records are left than were written.
 * @throws Error if the topic was not compacted: then it was no race.
 */
export async function raceCompaction(
  pipeline: TestPipeline,
  { kills, random }: { readonly kills: number; readonly random?: () => number },
): Promise<CompactionRace> {
  const { kafka } = pipeline.stack;
  const topic = pipeline.topic('catalog.product');
  // Segments so small that all but the last few records are compacted.
  const { code, stderr } = await kafka.tool('configs', [
    ...['--alter', '--entity-type', 'topics', '--entity-name', topic, '--add-config'],
    'segment.ms=100,min.cleanable.dirty.ratio=0.001,delete.retention.ms=600000',
  ]);
  if (code !== 0) throw new Error(`the topic could not be altered: ${stderr}`);
  const writer = new EntityWriter(pipeline.sql);
  let relay = await pipeline.startRelay();
  let written = 0;
  for (let round = 0; round < kills; round += 1) {
    // With a chance, in the midst of what it publishes; without one, when it has.
    const killAt = random === undefined ? Infinity : Math.floor(random() * 200);
    let dying: Promise<unknown> | undefined;
    for (let n = 0; n < 200; n += 1) {
      if (n === killAt) dying = relay.kill();
      await writer.write(`entity-${n % 20}`, n % 20 === round && n > 150 ? 'D' : 'U');
      written += 1;
    }
    if (dying === undefined) {
      await pipeline.caughtUp();
      dying = relay.kill();
    }
    await dying;
    relay = await pipeline.startRelay();
  }
  await pipeline.caughtUp();
  let left = written;
  await eventually(
    async () => {
      // A segment is rolled by what is written next; those that are still open keep their records.
      await writer.write('to-roll-the-segments');
      left = 0;
      await readTopics(kafka.directBootstrap, [topic], () => (left += 1));
      return left < written / 2;
    },
    { timeoutMs: 90_000, intervalMs: 500 },
  );
  await pipeline.caughtUp();
  return { kills, written, left };
}
