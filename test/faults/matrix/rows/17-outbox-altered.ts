import type pg from 'pg';
import type { FaultRow } from '../fault-row.ts';
import { morePublished, moreWritten, underLoad } from '../under-load.ts';

/** What is done to the table, each with what shows that it was done. */
const changes = {
  'a column is added': async (sql: pg.Client) => {
    await sql.query(`alter table outbox add column note text default 'new'`);
  },
  'a column is added before others are used, and dropped again': async (sql: pg.Client) => {
    await sql.query('alter table outbox add column note integer');
    await sql.query('alter table outbox drop column note');
  },
  'the type of the version becomes numeric': async (sql: pg.Client) => {
    await sql.query('alter table outbox alter column version type numeric');
  },
} as const;

export const row: FaultRow = {
  number: 17,
  fault: 'the outbox gets a column, loses one again, or gets another type of a column, under load',
  expected: 'goes on with the same bytes, or stops loudly (TRUNCATE is refused by a trigger)',
  seeds: 20,
  inCi: false,
  run: async (round) =>
    underLoad(await round.stack(), { allowedDuplicates: 0 }, async ({ pipeline, load, relay }) => {
      await morePublished(relay, round.chance.int(1, 300));
      const names = Object.keys(changes) as (keyof typeof changes)[];
      const name = names[round.seed % 3] ?? 'a column is added';
      await changes[name](pipeline.sql);
      await moreWritten(load, 200);
      if (!relay.isRunning) throw new Error(`the relay ended: ${relay.tail()}`);
      return { bit: `${name}, 200 events after it`, judged: [] };
    }),
};
