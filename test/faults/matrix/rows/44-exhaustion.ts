import pg from 'pg';
import { eventually } from '../../../support/eventually.ts';
import { limitOpenFiles, openFiles } from '../../../support/open-files.ts';
import { urlAs } from '../../../support/test-stack.ts';
import {
  filesTaken,
  poolTaken,
  serverConnectionsTaken,
  slowCallers,
  tooManyCallers,
  type Exhaustion,
} from '../api-exhaustion.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { inFlightRecords, morePublished, underLoad, type Scene } from '../under-load.ts';

const api = {
  CATALOG_API_POOL_SIZE: '4',
  CATALOG_API_POOL_QUEUE_SIZE: '16',
  CATALOG_API_STATEMENT_TIMEOUT_MS: '1000',
  CATALOG_API_CONNECTION_TIMEOUT_MS: '1500',
  CATALOG_API_REQUEST_TIMEOUT_MS: '6000',
};

export const row: FaultRow = {
  number: 44,
  fault:
    'pool / connections of Postgres / descriptors exhausted (API and relay); slowloris; 10× load',
  expected:
    '503 or 429, recovery by itself, a bounded p99; the relay tries again and loses nothing',
  seeds: 1,
  inCi: false,
  run: async ({ stack, say }) => {
    const servers = await stack({ postgres: { settings: { max_connections: '60' } } });
    return underLoad(
      servers,
      { allowedDuplicates: 2 * inFlightRecords, load: { pauseMs: 20 } },
      async (scene) => {
        const { pipeline } = scene;
        const found: Exhaustion[] = [];
        const note = (each: Exhaustion) => {
          say(`${each.what}: ${each.bit}${each.wrong === undefined ? '' : ` – ${each.wrong}`}`);
          found.push(each);
        };
        const { api: process, url } = await pipeline.startApi(api);
        const underTest = { pipeline, api: process, url };
        for (const exhaust of [poolTaken, filesTaken, slowCallers, tooManyCallers])
          note(await exhaust(underTest));
        const relayFound = [await relayFiles(scene), await relaySenders(scene)];
        relayFound.forEach(note);
        note(await serverConnectionsTaken(underTest));
        const { residentBytes } = process.memory();
        const { rows } = await pipeline.sql.query<{ n: number }>(
          `select count(*)::int as n from product p where not exists
             (select from outbox where aggregateid = p.id::text)`,
        );
        const wrong = found.filter((each) => each.wrong !== undefined);
        const apiWrong = wrong.filter((each) => !relayFound.includes(each));
        const tell = (all: readonly Exhaustion[]) =>
          all.map((each) => `${each.what}: ${each.wrong ?? each.bit}`).join('; ');
        return {
          bit: tell(found.map(({ what, bit }) => ({ what, bit }))),
          judged: [
            judged(
              'I10',
              apiWrong.length === 0 && rows[0]?.n === 0,
              tell(apiWrong) || `${rows[0]?.n} rows without an event; the API recovered each time`,
            ),
            judged(
              'I8',
              relayFound.every((each) => each.wrong === undefined),
              tell(relayFound),
            ),
            judged(
              'I9',
              residentBytes < 512 * 1024 * 1024,
              `the API has ${(residentBytes / 2 ** 20).toFixed(0)} MiB`,
            ),
          ],
        };
      },
    );
  },
};

/** The broker goes away and comes back, and the relay may open no socket to it. */
async function relayFiles({ relay, stack }: Scene): Promise<Exhaustion> {
  const broker = stack.kafka.broker(1);
  await broker.kill();
  await eventually(async () => (await relay.ready()).checks['kafka']?.ok === false, {
    timeoutMs: 30_000,
  });
  const files = openFiles(relay.pid);
  // Below what is open: what is there goes on, and nothing can be opened. Nobody may ask the admin port meanwhile.
  limitOpenFiles(relay.pid, 8);
  await broker.start();
  const refused = () => relay.logs.filter((line) => JSON.stringify(line).includes('EMFILE')).length;
  const hasBitten = await eventually(refused, { timeoutMs: 30_000 }).then(
    () => true,
    () => false,
  );
  limitOpenFiles(relay.pid, 4096);
  await morePublished(relay, 50);
  return {
    what: 'descriptors of the relay taken',
    bit: `${files} descriptors, ${refused()} lines with EMFILE`,
    wrong: hasBitten ? undefined : 'no socket was refused',
  };
}

/** The relay's stream is cut, and every walsender that the server has is somebody else's. */
async function relaySenders({ pipeline, relay }: Scene): Promise<Exhaustion> {
  const others: pg.Client[] = [];
  let refusal: { code?: string } | undefined;
  const take = async () => {
    for (refusal = undefined; refusal === undefined;) {
      const client = new pg.Client({
        connectionString: urlAs(pipeline.databaseUrl, 'outbound_relay'),
        // Not in the types of pg, which passes it on.
        ...{ replication: 'database' },
      });
      client.on('error', () => undefined);
      await client.connect().then(
        () => others.push(client),
        (error: unknown) => (refusal = error as { code?: string }),
      );
    }
  };
  try {
    await take();
    await pipeline.sql.query(
      'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
      [pipeline.slot],
    );
    await take();
    await eventually(async () => (await relay.ready()).checks['relay']?.ok === false, {
      timeoutMs: 30_000,
    });
  } finally {
    await Promise.all(others.map((client) => client.end().catch(() => undefined)));
  }
  const back = await morePublished(relay, 50).then(
    () => true,
    () => false,
  );
  return {
    what: 'walsenders taken',
    bit: `${others.length} of others, then ${refusal?.code}; the relay tried again`,
    wrong: back && relay.isRunning ? undefined : `the relay did not come back: ${relay.tail()}`,
  };
}
