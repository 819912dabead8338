import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createDatabase, inTransaction, type Database } from '@outbound/outbox';
import { categoryTable, storedCategory } from '@outbound/schemas';
import { eq } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outbound } from '../packages/cli/src/test-support/outbound.ts';
import { eventually } from './support/eventually.ts';
import { judgePipeline } from './support/judge-pipeline.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from './support/test-stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

const entities = 3000;

/** Changes and deletes entities as the API does, until it is stopped. */
class CategoryLoad {
  #isStopped = false;
  #count = 0;
  readonly #writers: Promise<void>[];

  constructor(db: Database, ids: readonly string[], seed: number, writers = 3) {
    this.#writers = Array.from({ length: writers }, async (_, index) => {
      const random = seededRandom(seed + index);
      while (!this.#isStopped) {
        await this.#change(db, ids[Math.floor(random() * ids.length)] ?? '', random());
        this.#count += 1;
      }
    });
  }

  get count(): number {
    return this.#count;
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
    return this.#count;
  }

  async #change(db: Database, id: string, chance: number): Promise<void> {
    await inTransaction(db, async ({ tx, emit }) => {
      const byId = eq(categoryTable.id, id);
      const [before] = await tx.select().from(categoryTable).where(byId).for('update');
      if (!before) throw new Error(`there is no category ${id}`);
      const isDeleted = chance < 0.1;
      const [row] = await tx
        .update(categoryTable)
        .set({
          version: before.version + 1,
          name: `name ${chance}`,
          updatedAt: new Date(),
          deletedAt: isDeleted ? new Date() : null,
        })
        .where(byId)
        .returning();
      if (!row) throw new Error(`category ${id} is gone`);
      await emit(storedCategory.eventType, {
        aggregateId: id,
        version: row.version,
        dataOp: isDeleted ? 'D' : 'U',
        data: storedCategory.toEntity(row),
      });
    });
  }
}

test('a table that never had events fills its topics while writers go on, over a kill of the backfill', async () => {
  await using pipeline = await TestPipeline.create(stack);
  const { sql } = pipeline;
  await sql.query('alter table category disable trigger category_first_version');
  const { rows } = await sql.query<{ id: string }>(
    `insert into category (id, code, name, version, deleted_at)
     select ('01930e2a-7b1c-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'c' || n, 'c', n, case when n % 10 = 0 then now() end
     from generate_series(1, $1::int) n returning id`,
    [entities],
  );
  await pipeline.startRelay();
  const pool = new pg.Pool({ connectionString: urlAs(pipeline.databaseUrl, 'outbound_api') });
  const seed = runSeed('backfill under load');
  const load = new CategoryLoad(
    createDatabase(pool),
    rows.map(({ id }) => id),
    seed,
  );
  const env = { OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator') };
  const argv = ['backfill', 'category', '--chunk', '100', '--rate', '1000', '--yes'];

  const killed = spawn(process.execPath, ['packages/cli/dist/main.js', ...argv], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'ignore',
  });
  const gone = once(killed, 'exit');
  const done = await eventually(
    async () => {
      const { rows: found } = await sql.query<{ done: number }>(
        "select (progress ->> 'snapshots')::int as done from operation where verb = 'backfill'",
      );
      return (found[0]?.done ?? 0) >= 500 && found[0]?.done;
    },
    { timeoutMs: 60_000, intervalMs: 5 },
  );
  killed.kill('SIGKILL');
  await gone;

  const resumed = await outbound(['--json', 'backfill', 'category', '--resume', '--yes'], {
    env,
  });
  expect(resumed, resumed.err).toMatchObject({ code: 0 });
  const counts = resumed.json()[0] as { snapshots: number; deletions: number; elapsedMs: number };
  // Of both runs together: every entity once; a chunk that was not noted before the kill is not counted.
  expect(counts.snapshots + counts.deletions).toBe(entities);
  const changes = await load.stop();
  await pool.end();
  await pipeline.caughtUp();

  const final = await sql.query<{ id: string; version: string; deleted: boolean }>(
    'select id, version, deleted_at is not null as deleted from category',
  );
  const { violations, committed, records, duplicates } = await judgePipeline(pipeline, {
    finalRows: final.rows.map(({ id, version, deleted }) => ({
      aggregateId: id,
      version: Number(version),
      isDeleted: deleted,
    })),
  });
  expect(violations, `seed ${seed}`).toEqual([]);
  expect(duplicates).toBe(0);
  const outcomes = await sql.query<{ outcome: string }>(
    'select outcome from operation order by started_at',
  );
  expect(outcomes.rows.map(({ outcome }) => outcome)).toEqual(['resumed', 'done']);
  console.log(
    `backfill under load: ${entities} entities, killed after ${done}, ${changes} changes meanwhile, ${committed} events, ${records} records, 0 violations, seed ${seed}`,
  );
});
