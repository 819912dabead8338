import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { eventTypes } from '@outbound/schemas';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import {
  countBacklog,
  emitMissingAgain,
  noteSeen,
  prepareBacklog,
  type Backlog,
} from './backlog.ts';
import { readOtherSlots } from './other-slots.ts';
import { storedHere } from './uncovered.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { outbound } from '../test-support/outbound.ts';
import { bridge, createInterimSlot, followFailovers, installSlot } from './new-slot.ts';

const slot = 'outbound';
const changes = 'catalog.category-change';
const state = 'catalog.category';

describe.each<PostgresMajor>([18, 15])('a recovery on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Client;
  let session: pg.Client;
  let pool: pg.Pool;
  let operatorUrl = '';
  let count = 0;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('migrated');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`recover_${(count += 1)}`, 'migrated');
    const login = { username: 'outbound_operator', password: 'operator' };
    operatorUrl = Object.assign(new URL(url), login).href;
    admin = new pg.Client(url);
    session = new pg.Client(operatorUrl);
    pool = new pg.Pool({ connectionString: operatorUrl });
    await admin.connect();
    await session.connect();
    await prepareBacklog(session, eventTypes);
    return async () => {
      await session.end();
      await pool.end();
      await admin.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where not temporary',
      );
      await admin.end();
    };
  });

  /** Commits an event; its id says key, version and number. */
  async function commit(key: number, version: number, op = 'U', minutesAgo = 0): Promise<string> {
    const id = eidOf(key, version, op);
    await admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
       values ($1, $2, $3, $4, $5, $6, '{"é": 1.50}', now() - make_interval(mins => $7))`,
      [id, state, `key-${key}`, changes, version, op, minutesAgo],
    );
    return id;
  }
  const eidOf = (key: number, version: number, op = 'U') =>
    `00000000-000${op === 'S' ? 1 : 0}-7000-8000-${String(key * 1000 + version).padStart(12, '0')}`;
  const published = async (...eids: readonly string[]) => {
    await noteSeen(session, changes, eids);
    await noteSeen(session, state, eids);
  };

  /** The whole way; `meanwhile` happens between the new slot's creation and the cut. */
  async function recover(
    meanwhile: () => Promise<unknown> = () => Promise.resolve(),
    counted?: Backlog,
  ) {
    const backlog = counted ?? (await countBacklog(session));
    await createInterimSlot(session, slot, {
      pool,
      signal: new AbortController().signal,
      onBlocked: () => undefined,
    });
    await meanwhile();
    const { emitted, slotLsn } = await bridge(session, slot, {
      flush: async () => {
        await pool.query(
          "insert into operation (id, verb, actor) values (gen_random_uuid(), 'recover', 'test')",
        );
      },
      emit: () => emitMissingAgain(session, backlog),
    });
    await installSlot(session, slot, { slotLsn, mustDrop: false });
    return { backlog, ...emitted };
  }

  /** Ids in the order in which a relay would get them from the new slot. */
  async function streamed(): Promise<string[]> {
    const { rows } = await admin.query<{ data: Buffer }>(
      "select data from pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', 'outbound')",
      [slot],
    );
    // I: Int32 relation, 'N', Int16 columns, then for the id: 't', Int32 length, text.
    return rows.flatMap(({ data }) =>
      data[0] === 0x49 ? [data.subarray(13, 13 + 36).toString('latin1')] : [],
    );
  }

  test('who else reads the outbox is known: also a relay whose slot is lost at present', async () => {
    await admin.query("select pg_create_logical_replication_slot('search', 'pgoutput')");
    await admin.query("select pg_create_logical_replication_slot('outbound', 'pgoutput')");
    await admin.query("select pg_create_physical_replication_slot('standby')");
    await admin.query(
      "insert into relay_slot (slot_name, system_identifier, created_lsn) values ('outbound', '1', '0/1'), ('billing', '1', '0/1')",
    );
    expect(await readOtherSlots(session, slot)).toEqual(['billing', 'search']);
  });

  test('what the topics do not have comes first, each entity in order of versions, then what is new', async () => {
    await published(await commit(1, 1), await commit(1, 2), await commit(2, 1));
    const missing = [await commit(1, 3), await commit(2, 2), await commit(3, 1)];
    let between = '';
    const { backlog, emitted } = await recover(async () => {
      between = await commit(1, 4);
    });
    expect(backlog).toMatchObject({ events: 3, entities: 3 });
    expect(emitted).toBe(4);
    const after = await commit(1, 5);
    const ids = await streamed();
    expect([...ids].sort()).toEqual([...missing, between, after].sort());
    const ofKey1 = ids.filter((id) => id.slice(-4).startsWith('1'));
    expect(ofKey1).toEqual([eidOf(1, 3), eidOf(1, 4), eidOf(1, 5)]);
    expect(ids.at(-1)).toBe(after);
    const { rows } = await admin.query<{ payload: string; n: number }>(
      'select payload::text, count(*)::int as n from outbox where id = $1 group by 1',
      [between],
    );
    expect(rows).toEqual([{ payload: '{"é": 1.50}', n: 2 }]);
  });

  test('versions rule the order, also where a transaction that began later committed first', async () => {
    await commit(1, 1, 'C', 1);
    await commit(1, 2, 'U', 3);
    await commit(1, 3, 'U', 2);
    await recover();
    expect(await streamed()).toEqual([eidOf(1, 1), eidOf(1, 2), eidOf(1, 3)]);
  });

  test('a transaction that is older than every missing event, and was open when they were counted, is not forgotten', async () => {
    const open = new pg.Client(operatorUrl);
    await open.connect();
    await open.query('begin');
    await open.query(
      "insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ($1, $2, 'key-2', $3, 1, 'C', '{}')",
      [eidOf(2, 1), state, changes],
    );
    await commit(1, 1);
    const backlog = await countBacklog(session);
    expect(backlog.events).toBe(1);
    await open.query('commit');
    await open.end();
    expect((await recover(undefined, backlog)).emitted).toBe(2);
    expect((await streamed()).sort()).toEqual([eidOf(1, 1), eidOf(2, 1)]);
  });

  test('an event that only one of its topics has comes again, with everything behind it', async () => {
    await published(await commit(1, 1));
    await noteSeen(session, changes, [await commit(1, 2), await commit(1, 3)]);
    await noteSeen(session, state, [eidOf(1, 3)]);
    await commit(1, 4);
    // Version 3 is in both: the compacted topic has dropped version 2 since.
    expect((await recover()).emitted).toBe(1);
    expect(await streamed()).toEqual([eidOf(1, 4)]);
  });

  test('a snapshot that was not published is not hidden by the change of the same version that was', async () => {
    await published(await commit(1, 1));
    await commit(1, 1, 'S');
    await recover();
    expect(await streamed()).toEqual([eidOf(1, 1, 'S')]);
  });

  test('old rows that break a younger check go out without the header that breaks it, or are named; the others as they are', async () => {
    const old = async (key: number, version: number, { headers = '{}', aggregate = state }) => {
      await admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
         values ($1, $2, $3, $4, $5, 'U', '{"n": 1.50}', $6)`,
        [eidOf(key, version), aggregate, `key-${key}`, changes, version, headers],
      );
    };
    // As they were written before the checks were made.
    const checks = ['outbox_sound_check'];
    const definitions = await admin.query<{ conname: string; definition: string }>(
      `select conname, pg_get_constraintdef(oid) as definition from pg_constraint
       where conname = any($1) and conrelid = 'outbox'::regclass`,
      [checks],
    );
    expect(definitions.rows).toHaveLength(1);
    for (const name of checks) await admin.query(`alter table outbox drop constraint ${name}`);
    await admin.query('alter table outbox disable trigger outbox_reserved_headers');
    await commit(1, 1);
    await old(1, 2, { headers: '{"traceparent":null,"flow_id":"f","n":1}' });
    await commit(1, 3);
    await old(2, 1, { headers: '{"flow_id":"\\u0000"}' });
    await old(3, 1, { aggregate: 'x'.repeat(300) });
    for (const { conname, definition } of definitions.rows)
      await admin.query(
        `alter table outbox add constraint ${conname} ${definition.replace(/ NOT VALID$/, '')} not valid`,
      );
    await admin.query('alter table outbox enable trigger outbox_reserved_headers');
    const { emitted, mended, refused } = await recover();
    const named = { mended: [...mended].sort(), refused };
    expect(named).toEqual({ mended: [eidOf(1, 2), eidOf(2, 1)], refused: [eidOf(3, 1)] });
    expect(emitted).toBe(4);
    const ids = await streamed();
    expect(ids.filter((id) => id.slice(-4).startsWith('1'))).toEqual(
      [1, 2, 3].map((version) => eidOf(1, version)),
    );
    const { rows } = await admin.query<{ payload: string; headers: string }>(
      'select payload::text, headers::text from outbox where id = $1 order by created_at desc limit 1',
      [eidOf(1, 2)],
    );
    expect(rows).toEqual([{ payload: '{"n": 1.50}', headers: '{ "flow_id" : "f" }' }]);
  });

  test('a second recovery writes nothing twice that the topics have by then, and each event once', async () => {
    await commit(1, 1);
    await recover();
    await session.query('drop table recover_published, recover_last');
    await admin.query('select pg_drop_replication_slot($1)', [slot]);
    await session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    expect((await recover()).emitted).toBe(1);
    await session.query('drop table recover_published, recover_last');
    await admin.query('select pg_drop_replication_slot($1)', [slot]);
    await session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    await published(eidOf(1, 1));
    expect((await recover()).emitted).toBe(0);
  });

  /** A row by which somebody deals with dead letters of a key. */
  async function mark(key: number, version: number, header: string, type = changes) {
    const id = eidOf(key, version);
    const headers = JSON.stringify({ flow_id: 'f', [header]: '1 0/10:0@00000000' });
    await admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
       values ($1, $2, $3, $4, $5, 'S', '{}', $6)`,
      [id, state, `key-${key}`, type, version, headers],
    );
    return id;
  }

  test('a dead letter that was on its way again comes as the event that it is: nobody waits for a letter any more', async () => {
    const id = await mark(1, 1, 'outbound_redrive');
    expect((await recover()).emitted).toBe(1);
    expect(await streamed()).toEqual([id]);
    const { rows } = await admin.query<{ headers: string }>(
      'select headers::text from outbox where id = $1 order by created_at desc limit 1',
      [id],
    );
    expect(JSON.parse(rows[0]?.headers ?? '')).toEqual({ flow_id: 'f' });
  });

  test('a row that gave dead letters up is no event: it is not missing, and its type is nobody’s', async () => {
    await mark(1, 1, 'outbound_discard');
    await mark(2, 1, 'outbound_discard', 'outbound.discard');
    await session.query(
      'drop table recover_seen, recover_route, recover_waiting, recover_torn, recover_given_up',
    );
    await prepareBacklog(session, eventTypes);
    const { backlog, emitted } = await recover();
    expect(backlog).toMatchObject({ events: 0, entities: 0 });
    expect(emitted).toBe(0);
  });

  test('entities whose table is not there, or which the relay does not carry, are not asked about', async () => {
    const names = async (...types: readonly string[]) =>
      (
        await storedHere(session, new Map([...eventTypes].filter(([name]) => types.includes(name))))
      ).map(({ eventType }) => eventType.name);
    expect(await names('catalog.category-change')).toEqual(['catalog.category-change']);
    expect(await names()).toEqual([]);
    await admin.query('alter table category rename to another');
    expect(await names('catalog.category-change', 'catalog.product-change')).toEqual([
      'catalog.product-change',
    ]);
  });

  const failoverOf = async () =>
    (
      await admin.query<{ failover: boolean }>(
        'select failover from pg_replication_slots where slot_name = $1',
        [slot],
      )
    ).rows[0]?.failover;
  const runVerb = (...options: readonly string[]) =>
    outbound(['--json', 'recover', '--yes', ...options], {
      env: { OUTBOUND_DATABASE_URL: operatorUrl, OUTBOUND_SLOT: slot },
    });

  test('the slot can follow a failover, from Postgres 17 on; of one that was left without, only that is made good', async () => {
    await recover();
    const run = await runVerb('--failover');
    if (major < 17) {
      expect(run).toMatchObject({ code: 2 });
      return expect(run.err).toContain('FAILOVER_UNKNOWN');
    }
    expect(run, run.err).toMatchObject({ code: 0 });
    expect(await failoverOf()).toBe(true);
    expect((await runVerb('--failover')).err).toContain('SLOT_HEALTHY');
    const { rows } = await admin.query<{ failover: boolean }>(
      "select (parameters ->> 'failover')::boolean as failover from operation where verb = 'recover' and actor <> 'test'",
    );
    return expect(rows).toEqual([{ failover: true }]);
  });

  // Before 17 there is no such flag, and the test above says how it is refused.
  if (major >= 17)
    test('a relay that takes the slot first does not make the recovery wait for ever: what is left to do is told', async () => {
      await recover();
      const reader = new pg.Client({
        connectionString: `${operatorUrl}${operatorUrl.includes('?') ? '&' : '?'}replication=database`,
      });
      reader.on('error', () => undefined);
      await reader.connect();
      reader
        .query(
          `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names 'outbound')`,
        )
        .catch(() => undefined);
      const isActive = async () =>
        (
          await admin.query<{ active: boolean }>(
            'select active from pg_replication_slots where slot_name = $1',
            [slot],
          )
        ).rows[0]?.active === true;
      await eventually(isActive);
      await expect(
        followFailovers(pool, operatorUrl, slot, { patienceMs: 300 }),
      ).rejects.toMatchObject({
        code: 'FAILOVER_NOT_SET',
        message: expect.stringContaining('outbound recover --failover') as string,
      });
      await admin.query(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
        [slot],
      );
      await eventually(async () => !(await isActive()));
      expect(await failoverOf()).toBe(false);
      await followFailovers(pool, operatorUrl, slot);
      expect(await failoverOf()).toBe(true);
    });

  test('the slot is recorded before it is there, and its record says where it begins', async () => {
    await admin.query("insert into relay_slot values ($1, 'old', now(), '0/1')", [slot]);
    await recover();
    const { rows } = await admin.query<{ recorded: boolean }>(
      'select r.created_lsn = s.confirmed_flush_lsn as recorded from relay_slot r join pg_replication_slots s using (slot_name)',
    );
    expect(rows).toEqual([{ recorded: true }]);
  });
});
