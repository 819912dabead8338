import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { judgePipeline } from '../../test/support/judge-pipeline.ts';
import { Chance } from '../../test/simulation/chance.ts';
import { TestPipeline } from '../../test/support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../../test/support/test-stack.ts';
import { comparisonTable, type Outage, type PathResult } from './comparison.ts';
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
  const say = (line: string) => console.error(`${path.name}: ${line}`);
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  say(
    `kills at ${plan.killsMs.map(seconds).join(', ')} s, Kafka down from ${seconds(plan.outageFromMs)} s`,
  );
  const stop = new AbortController();
  const load = writeUntil(stop.signal, { urls: path.urls, chance: chance.fork('load') });
  const startedMs = performance.now();
  const at = async (ms: number) => delay(Math.max(0, startedMs + ms - performance.now()));

  const restarts: Outage[] = [];
  const outage = { fromMs: Infinity, untilMs: Infinity };
  const kafkaFaults = async () => {
    await at(plan.outageFromMs);
    await stack.kafka.stop();
    say('Kafka is down');
    outage.fromMs = performance.now();
    await delay(outageMs);
    outage.untilMs = performance.now();
    await stack.kafka.start();
    say('Kafka is up');
  };
  const crashes = async () => {
    for (const killMs of plan.killsMs) {
      await at(killMs);
      const fromMs = performance.now();
      await path.crash();
      restarts.push({ fromMs, untilMs: performance.now() });
      say('killed and started again');
    }
  };
  await Promise.all([kafkaFaults(), crashes(), at(plan.durationMs)]).finally(() => stop.abort());
  const result = await load;
  say(`${result.attempts.length} requests; settling`);
  await path.settle();
  say('judging');
  const verdict = await judgePipeline(pipeline, { allowedDuplicates: Infinity });
  return { name: path.name, load: result, outage, restarts, verdict };
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
