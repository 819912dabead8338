import { DatabaseError } from 'pg';
import { EntityWriter } from '../../../support/entity-writer.ts';
import type { FaultRow } from '../fault-row.ts';
import { underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 20,
  fault: 'rollbacks, rolled-back savepoints, deadlocks and serialization failures under load',
  expected: 'no ghost: only what was committed is published',
  seeds: 20,
  inCi: true,
  run: async ({ chance, ...round }) =>
    underLoad(await round.stack(), { allowedDuplicates: 0 }, async ({ pipeline }) => {
      const counts = { rollbacks: 0, savepoints: 0, deadlocks: 0, serialization: 0 };
      const [one, other] = [await pipeline.connect(), await pipeline.connect()];
      await one.query("set deadlock_timeout = '20ms'");
      await other.query("set deadlock_timeout = '20ms'");
      const [writer, rival] = [new EntityWriter(one), new EntityWriter(other)];
      const end = async (client: typeof one) => {
        await client.query('commit');
      };
      /** The SQLSTATE with which it failed. */
      const failure = async (work: Promise<unknown>): Promise<string | undefined> =>
        work.then(
          () => undefined,
          (error: unknown) => (error instanceof DatabaseError ? error.code : String(error)),
        );
      for (let step = 0; step < 24; step += 1) {
        const kind = (['rollbacks', 'savepoints', 'deadlocks', 'serialization'] as const)[step % 4];
        const [a, b] = [`a-${chance.int(0, 3)}`, `b-${chance.int(0, 3)}`];
        if (kind === 'rollbacks') {
          await one.query('begin');
          for (let n = chance.int(1, 5); n > 0; n -= 1) await writer.write(a);
          await one.query('rollback');
          counts.rollbacks += 1;
        } else if (kind === 'savepoints') {
          await one.query('begin');
          await writer.write(a);
          await one.query('savepoint s');
          for (let n = chance.int(1, 5); n > 0; n -= 1) await writer.write(b);
          await one.query('rollback to savepoint s');
          await writer.write(b);
          await end(one);
          counts.savepoints += 1;
        } else if (kind === 'deadlocks') {
          await one.query('begin');
          await other.query('begin');
          await writer.write(a);
          await rival.write(b);
          const both = await Promise.all([failure(writer.write(b)), failure(rival.write(a))]);
          counts.deadlocks += both.filter((code) => code === '40P01').length;
          // The one that failed rolls back by its commit.
          await end(one);
          await end(other);
        } else {
          await one.query('begin isolation level repeatable read');
          await one.query('select 1 from entity limit 1');
          await rival.write(a);
          if ((await failure(writer.write(a))) === '40001') counts.serialization += 1;
          await end(one);
        }
      }
      await one.end();
      await other.end();
      const idle = Object.entries(counts).find(([, count]) => count === 0);
      if (idle) throw new Error(`there were no ${idle[0]}`);
      return {
        bit: `${counts.rollbacks} rollbacks, ${counts.savepoints} savepoints, ${counts.deadlocks} deadlocks, ${counts.serialization} serialization failures`,
        judged: [],
      };
    }),
};
