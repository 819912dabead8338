import type pg from 'pg';
import { EntityWriter } from '../../../support/entity-writer.ts';
import type { FaultRow } from '../fault-row.ts';
import { moreWritten, underLoad } from '../under-load.ts';

export const row: FaultRow = {
  number: 19,
  fault: 'transactions that begin early and commit late, woven into each other and into short ones',
  expected: 'published in the order of commits; all of them out',
  seeds: 20,
  inCi: true,
  run: async ({ chance, ...round }) =>
    underLoad(await round.stack(), { allowedDuplicates: 0 }, async ({ pipeline, load }) => {
      interface Open {
        readonly client: pg.Client;
        readonly writer: EntityWriter;
        readonly name: string;
        readonly sinceCount: number;
      }
      const open: Open[] = [];
      let overtaken = 0;
      for (let step = 0; step < 60; step += 1) {
        if (open.length < 5 && chance.happens(0.5)) {
          const client = await pipeline.connect();
          await client.query('begin');
          const writer = new EntityWriter(client);
          open.push({ client, writer, name: `long-${step}`, sinceCount: load.count });
        }
        for (const { writer, name } of open) {
          // Entities of its own, and savepoints, which are transactions within it.
          if (chance.happens(0.6)) await writer.write(`${name}-${chance.int(0, 2)}`);
        }
        if (open.length > 0 && chance.happens(0.4)) {
          const [closing] = open.splice(chance.int(0, open.length - 1), 1);
          if (!closing) continue;
          if (chance.happens(0.5)) await moreWritten(load, 3);
          if (load.count > closing.sinceCount) overtaken += 1;
          await closing.client.query('commit');
          await closing.client.end();
        }
      }
      for (const { client } of open) {
        await client.query('commit');
        await client.end();
      }
      if (overtaken === 0) throw new Error('no transaction was overtaken by a shorter one');
      return {
        bit: `${overtaken} transactions were overtaken by commits of others`,
        judged: [],
      };
    }),
};
