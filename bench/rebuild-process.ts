import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { PostgresServer } from '@outbound/local-stack';
import type { TestPipeline } from '../test/support/test-pipeline.ts';
import { readProcessUsage, type ProcessUsage } from './process-usage.ts';

/** What one run of `outbound rebuild` says of itself, and what it took. */
export interface Rebuilt {
  /** When it had caught up; RFC 3339. */
  readonly at: string;
  /** From the first request to that moment. */
  readonly seconds: number;
  readonly records: number;
  readonly bytes: number;
  readonly usage: ProcessUsage;
}

/** As in a container of 256 MB: left alone, the heap grows towards the machine's memory before it is collected. */
const smallHeap = '--max-old-space-size=128';

/**
 * Runs the built command line, as a user would, and watches it. In a small heap, but for the target that holds the
 * whole state in memory.
 * @param target what comes behind `--into`. @throws Error if it does not end with 0
 */
export async function rebuildInto(
  target: readonly [string, ...string[]],
  { pipeline, warehouse }: { readonly pipeline: TestPipeline; readonly warehouse: PostgresServer },
): Promise<Rebuilt> {
  const child = spawn(
    process.execPath,
    [
      ...(target[0] === 'memory' ? [] : [smallHeap]),
      'packages/cli/dist/main.js',
      ...['rebuild', 'catalog.product', '--json', '--into', ...target],
    ],
    {
      env: {
        OUTBOUND_DATABASE_URL: warehouse.url,
        OUTBOUND_KAFKA_BROKERS: pipeline.stack.kafka.bootstrap.join(','),
        OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  let usage: ProcessUsage = { peakResidentBytes: 0, cpuSeconds: 0 };
  const watch = setInterval(() => {
    if (child.pid === undefined) return;
    readProcessUsage(child.pid).then(
      (now) => (usage = now),
      // It has just ended.
      () => undefined,
    );
  }, 100);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`outbound rebuild ended with ${code}: ${out}`);
  } finally {
    clearInterval(watch);
    child.kill();
  }
  return { ...(JSON.parse(out) as Omit<Rebuilt, 'usage'>), usage };
}
