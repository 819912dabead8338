import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { judgePipeline } from '../../test/support/judge-pipeline.ts';
import { Chance } from '../../test/simulation/chance.ts';
import { TestPipeline } from '../../test/support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../../test/support/test-stack.ts';
import { comparisonTable, type PathResult } from './comparison.ts';
import { faultPlan } from './fault-plan.ts';
import { writeUntil } from './load.ts';
import { startNewPath, startOldPath, type OutboundPath } from './outbound-path.ts';

/**
 * `npm run bench:old-path`: the same load and the same faults for the path that is replaced and for the one that replaces it. Both are judged
 * by the same checker. Prints a Markdown table and the seed. Exit code 1 if the new path lost, made up, reordered or altered anything.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    seconds: { type: 'string', default: '60' },
    kills: { type: 'string', default: '5' },
  },
});
const outageMs = 20_000;

async function measure(
  stack: TestStack,
  start: (pipeline: TestPipeline) => Promise<OutboundPath>,
): Promise<PathResult> {
  await using pipeline = await TestPipeline.create(stack);
  const path = await start(pipeline);
  const chance = new Chance(values.seed);
  const plan = faultPlan(chance.fork('faults'), {
    durationMs: Number(values.seconds) * 1000,
    killCount: Number(values.kills),
    outageMs,
  });
  console.error(
    `${path.name}: kills at ${plan.killsMs.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s, Kafka down from ${(plan.outageFromMs / 1000).toFixed(1)} s`,
  );
  const stop = new AbortController();
  const load = writeUntil(stop.signal, { baseUrl: path.url, chance: chance.fork('load') });
  const startedMs = performance.now();
  const at = async (ms: number) => delay(Math.max(0, startedMs + ms - performance.now()));

  const outage = { fromMs: Infinity, untilMs: Infinity };
  const kafkaFaults = async () => {
    await at(plan.outageFromMs);
    await stack.kafka.stop();
    outage.fromMs = performance.now();
    await delay(outageMs);
    outage.untilMs = performance.now();
    await stack.kafka.start();
  };
  const crashes = async () => {
    for (const killMs of plan.killsMs) {
      await at(killMs);
      await path.crash();
    }
  };
  await Promise.all([kafkaFaults(), crashes(), at(plan.durationMs)]);
  stop.abort();
  const result = await load;
  await path.settle();
  const verdict = await judgePipeline(pipeline, { allowedDuplicates: Infinity });
  return { name: path.name, load: result, outage, verdict };
}

await using stack = await startTestStack();
const results = [await measure(stack, startOldPath), await measure(stack, startNewPath)];
console.log(comparisonTable(results));
console.log(
  `\nseed ${values.seed}, ${values.seconds} s of load, ${values.kills} SIGKILLs, Kafka down for ${outageMs / 1000} s`,
);
const broken = results[1]?.verdict.violations ?? [];
for (const { sentence } of broken) console.error(sentence);
process.exitCode = broken.length > 0 ? 1 : 0;
