import type { KafkaCluster } from '@outbound/local-stack';
import { pythonWithKafka } from '../../test/outsiders/python-client.ts';
import { readProcessorTime } from '../machine.ts';
import { fillTopic } from './fill-topic.ts';
import type { Reading } from './meter.ts';
import { readerPrograms } from './reader-programs.ts';

/** One reader's turn in a round. */
export interface ReadingTurn extends Reading {
  readonly reader: string;
  readonly stolenCores: number;
}

export interface ReadingRun {
  readonly events: number;
  readonly partitions: number;
  /** Every reader once a round, in turn. */
  readonly turns: readonly ReadingTurn[];
}

const partitions = 6;

/**
 * Lets every reader read the same waiting events in turn, `runs` times: ours, and its peers with and without parsing. What they are compared by is within one round.
 */
export async function runReading(
  kafka: KafkaCluster,
  { events, runs, say }: { events: number; runs: number; say: (what: string) => void },
): Promise<ReadingRun> {
  const topic = `bench-reading-${Date.now()}`;
  say(`filling ${topic} with ${events} events`);
  await fillTopic(kafka.bootstrap, { topic, partitions, events });
  const readers = readerPrograms(kafka, {
    topic,
    events,
    python: await pythonWithKafka(),
  });
  const turns: ReadingTurn[] = [];
  for (let round = 0; round < runs; round += 1)
    for (const [reader, run] of readers) {
      say(`reading, round ${round + 1} of ${runs}: ${reader}`);
      const before = await readProcessorTime();
      const startedMs = performance.now();
      const reading = await run();
      const after = await readProcessorTime();
      const stolenCores = (after.steal - before.steal) / ((performance.now() - startedMs) / 1000);
      turns.push({ reader, ...reading, stolenCores });
    }
  return { events, partitions, turns };
}
