import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Chance } from '../../simulation/chance.ts';
import type { Fault } from '../../support/fault-proxy.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';
import type { RelayCrew } from './relay-crew.ts';

/** What faults are done to. */
export interface SoakTarget {
  readonly pipeline: TestPipeline;
  readonly crew: RelayCrew;
}

/** A fault of the matrix that heals, with its row. Comes back when it is healed; @throws Error if it could not be done. */
export interface SoakFault {
  readonly name: string;
  readonly row: number;
  /** Two faults at once are of different targets. */
  readonly target: 'relay' | 'link' | 'postgres' | 'kafka' | 'writers';
  readonly run: (target: SoakTarget, chance: Chance) => Promise<void>;
}

const seconds = async (chance: Chance, least: number, most: number): Promise<void> => {
  await delay(chance.between(least, most) * 1000);
};

/** On a connection of its own. The server may be killed by another fault meanwhile: what was not committed then is rolled back. */
async function onConnection(
  pipeline: TestPipeline,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = await pipeline.connect().catch(() => undefined);
  if (!client) return;
  await work(client).catch(() => undefined);
  await client.end().catch(() => undefined);
}

const link = (name: string, row: number, fault: Fault): SoakFault => ({
  name,
  row,
  target: 'link',
  run: async ({ crew }, chance) => {
    const { proxy } = chance.pick(crew.members);
    proxy.set(fault);
    await seconds(chance, 2, 25);
    proxy.set({ mode: 'pass' });
  },
});

/** What the nemesis chooses from: the rows of the matrix that kill, stop, cut and fill, and heal. */
export const soakFaults: readonly SoakFault[] = [
  {
    name: 'relay killed',
    row: 1,
    target: 'relay',
    run: async ({ crew }, chance) => crew.replace(chance.pick(crew.members), 'kill'),
  },
  {
    name: 'relay terminated',
    row: 3,
    target: 'relay',
    run: async ({ crew }, chance) => crew.replace(chance.pick(crew.members), 'terminate'),
  },
  {
    name: 'relay stood still',
    row: 5,
    target: 'relay',
    run: async ({ crew }, chance) => {
      const { relay } = chance.pick(crew.members);
      relay.pause();
      await seconds(chance, 1, 20);
      relay.resume();
    },
  },
  {
    name: 'walsender ended',
    row: 10,
    target: 'link',
    run: async ({ pipeline }) =>
      onConnection(pipeline, async (client) => {
        await client.query(
          'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
          [pipeline.slot],
        );
      }),
  },
  link('link swallowed all', 22, { mode: 'blackhole' }),
  link('link half open', 23, { mode: 'blackhole', direction: 'down' }),
  link('link cut', 22, { mode: 'cut' }),
  link('link slow', 24, { mode: 'slice', bytes: 3 }),
  {
    name: 'Postgres killed',
    row: 9,
    target: 'postgres',
    run: async ({ pipeline: { stack } }) => {
      await stack.postgres.kill();
      await stack.postgres.start();
    },
  },
  {
    name: 'Postgres stopped fast',
    row: 11,
    target: 'postgres',
    run: async ({ pipeline: { stack } }) => {
      await stack.postgres.stop('fast');
      await stack.postgres.start();
    },
  },
  {
    name: 'Postgres stood still',
    row: 12,
    target: 'postgres',
    run: async ({ pipeline: { stack } }, chance) => {
      await stack.postgres.pause();
      await seconds(chance, 1, 20);
      await stack.postgres.resume();
    },
  },
  {
    name: 'long transaction',
    row: 19,
    target: 'writers',
    run: async ({ pipeline }, chance) =>
      onConnection(pipeline, async (client) => {
        await client.query('begin');
        await client.query("select write_event('long', 'U', 40)");
        await seconds(chance, 1, 10);
        await client.query('commit');
      }),
  },
  {
    name: 'big transaction rolled back',
    row: 20,
    target: 'writers',
    run: async ({ pipeline }) =>
      onConnection(pipeline, async (client) => {
        await client.query('begin');
        await client.query("select write_event('ghost', 'U', 500) from generate_series(1, 5000)");
        await client.query('rollback');
      }),
  },
  ...(['kill', 'stop'] as const).map((how): SoakFault => ({
    name: how === 'kill' ? 'broker killed' : 'broker stopped',
    row: how === 'kill' ? 27 : 28,
    target: 'kafka',
    run: async ({ pipeline: { stack } }, chance) => {
      const broker = chance.pick(stack.kafka.brokers);
      await broker[how]();
      await seconds(chance, 0, 10);
      await broker.start();
    },
  })),
  {
    name: 'broker stood still',
    row: 31,
    target: 'kafka',
    run: async ({ pipeline: { stack } }, chance) => {
      const broker = chance.pick(stack.kafka.brokers);
      await broker.pause();
      await seconds(chance, 1, 20);
      await broker.resume();
    },
  },
  {
    name: 'too few replicas',
    row: 30,
    target: 'kafka',
    run: async ({ pipeline: { stack } }, chance) => {
      const [one, other] = chance.shuffled(stack.kafka.brokers);
      await one?.kill();
      await other?.kill();
      await seconds(chance, 1, 10);
      await Promise.all([one?.start(), other?.start()]);
    },
  },
  {
    name: 'all brokers down',
    row: 29,
    target: 'kafka',
    run: async ({ pipeline: { stack } }, chance) => {
      await Promise.all(stack.kafka.brokers.map(async (broker) => broker.kill()));
      await seconds(chance, 1, 20);
      await stack.kafka.start();
    },
  },
];

/** One fault, or two of different targets at once. Pure but for the chance. */
export function nextFaults(chance: Chance): readonly SoakFault[] {
  const first = chance.pick(soakFaults);
  if (chance.happens(0.6)) return [first];
  const second = chance.pick(soakFaults.filter(({ target }) => target !== first.target));
  return [first, second];
}
