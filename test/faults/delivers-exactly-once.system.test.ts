import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shell } from '../outsiders/shell.ts';
import { EntityWriter } from '../support/entity-writer.ts';
import { eventually } from '../support/eventually.ts';
import { judgePipeline } from '../support/judge-pipeline.ts';
import { runSeed, seededRandom } from '../support/random.ts';
import { SqlLoad } from '../support/sql-load.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';

/** CI runs a share; `EOS_KILLS=200 npx vitest run test/faults/delivers-exactly-once` runs all. */
const kills = Number(process.env['EOS_KILLS'] ?? 4);

/** What kcat, which is not ours, counts in a topic: records, and those whose event id was there before. */
async function counted(
  bootstrap: string,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<{ records: number; repeated: number }> {
  const output = await shell(
    `kcat -b ${bootstrap} -C -t ${topic} -X isolation.level=${isolation} -o beginning -e -q -f '%h\\n' | sed 's/.*ce_id=\\([^,]*\\).*/\\1/' | sort | uniq -c | awk '{ n += $1; r += $1 - 1 } END { print n, r }'`,
  );
  const [records = NaN, repeated = NaN] = output.trim().split(' ').map(Number);
  return { records, repeated };
}

/** Ours and kcat read committed records, as the promise says (docs/semantics.md); who does not sees what was aborted, too. */
describe('the relay with RELAY_DELIVERY=exactly-once', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it(
    `killed ${kills} times at random under load, loses nothing, keeps the order and repeats no record`,
    { timeout: 60_000 + kills * 6_000 },
    async () => {
      const random = seededRandom(runSeed('exactly-once kills'));
      await using pipeline = await TestPipeline.create(stack, { RELAY_DELIVERY: 'exactly-once' });
      await EntityWriter.prepare(pipeline.sql);
      await (await pipeline.startRelay()).terminate();
      const load = new SqlLoad(pipeline, { pauseMs: 2 });
      for (let kill = 0; kill < kills; kill += 1) {
        const relay = await pipeline.startRelay();
        const atLeast = 1 + Math.floor(random() * 300);
        await eventually(
          async () => ((await relay.metric('relay_records_published_total')) ?? 0) >= atLeast,
          { timeoutMs: 20_000, intervalMs: 3 },
        );
        await relay.kill();
      }
      await load.stop();
      await pipeline.startRelay();
      await pipeline.caughtUp();
      const verdict = await judgePipeline(pipeline, { allowedDuplicates: 0 });
      console.log(
        `kills ${kills} | events ${verdict.committed} | records ${verdict.records} | lost ${verdict.counts.get('lost') ?? 0} | ghosts ${verdict.counts.get('ghost') ?? 0} | reordered ${verdict.counts.get('reordered') ?? 0} | duplicates ${verdict.duplicates}`,
      );
      expect(verdict.violations).toEqual([]);
      const { bootstrap } = stack.kafka;
      const topic = pipeline.topic('catalog.product-change');
      const uncommitted = await counted(bootstrap.join(','), topic, 'read_uncommitted');
      console.log(
        `who reads uncommitted records sees ${uncommitted.repeated} of ${uncommitted.records} twice`,
      );
      expect(await counted(bootstrap.join(','), topic, 'read_committed')).toEqual({
        records: verdict.committed,
        repeated: 0,
      });
    },
  );
});
