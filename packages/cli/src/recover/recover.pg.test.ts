import type { PostgresMajor } from '@outbound/local-stack';
import { eventTypes } from '@outbound/schemas';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { changes, eidOf, RecoveryRig, slot, state } from '../test-support/recovery-rig.ts';
import { countBacklog, noteSeen, prepareBacklog } from './backlog.ts';
import { readOtherSlots } from './other-slots.ts';
import { storedHere } from './uncovered.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { outbound } from '../test-support/outbound.ts';
import { followFailovers } from './new-slot.ts';

describe.each<PostgresMajor>([18, 15])('a recovery on Postgres %i', (major) => {
  const rig = new RecoveryRig(major);

  test('who else reads the outbox is known: also a relay whose slot is lost at present', async () => {
    await rig.admin.query("select pg_create_logical_replication_slot('search', 'pgoutput')");
    await rig.admin.query("select pg_create_logical_replication_slot('outbound', 'pgoutput')");
    await rig.admin.query("select pg_create_physical_replication_slot('standby')");
    await rig.admin.query(
      "insert into relay_slot (slot_name, system_identifier, created_lsn) values ('outbound', '1', '0/1'), ('billing', '1', '0/1')",
    );
    expect(await readOtherSlots(rig.session, slot)).toEqual(['billing', 'search']);
  });

  test('what the topics do not have comes first, each entity in order of versions, then what is new', async () => {
    await rig.published(await rig.commit(1, 1), await rig.commit(1, 2), await rig.commit(2, 1));
    const missing = [await rig.commit(1, 3), await rig.commit(2, 2), await rig.commit(3, 1)];
    let between = '';
    const { backlog, emitted } = await rig.recover(async () => {
      between = await rig.commit(1, 4);
    });
    expect(backlog).toMatchObject({ events: 3, entities: 3 });
    expect(emitted).toBe(4);
    const after = await rig.commit(1, 5);
    const ids = await rig.streamed();
    expect([...ids].sort()).toEqual([...missing, between, after].sort());
    const ofKey1 = ids.filter((id) => id.slice(-4).startsWith('1'));
    expect(ofKey1).toEqual([eidOf(1, 3), eidOf(1, 4), eidOf(1, 5)]);
    expect(ids.at(-1)).toBe(after);
    const { rows } = await rig.admin.query<{ payload: string; n: number }>(
      'select payload::text, count(*)::int as n from outbox where id = $1 group by 1',
      [between],
    );
    expect(rows).toEqual([{ payload: '{"é": 1.50}', n: 2 }]);
  });

  test('versions rule the order, also where a transaction that began later committed first', async () => {
    await rig.commit(1, 1, 'C', 1);
    await rig.commit(1, 2, 'U', 3);
    await rig.commit(1, 3, 'U', 2);
    await rig.recover();
    expect(await rig.streamed()).toEqual([eidOf(1, 1), eidOf(1, 2), eidOf(1, 3)]);
  });

  test('a transaction that is older than every missing event, and was open when they were counted, is not forgotten', async () => {
    const open = new pg.Client(rig.operatorUrl);
    await open.connect();
    await open.query('begin');
    await open.query(
      "insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ($1, $2, 'key-2', $3, 1, 'C', '{}')",
      [eidOf(2, 1), state, changes],
    );
    await rig.commit(1, 1);
    const backlog = await countBacklog(rig.session);
    expect(backlog.events).toBe(1);
    await open.query('commit');
    await open.end();
    expect((await rig.recover(undefined, backlog)).emitted).toBe(2);
    expect((await rig.streamed()).sort()).toEqual([eidOf(1, 1), eidOf(2, 1)]);
  });

  test('an event that only one of its topics has comes again, with everything behind it', async () => {
    await rig.published(await rig.commit(1, 1));
    await noteSeen(rig.session, changes, [await rig.commit(1, 2), await rig.commit(1, 3)]);
    await noteSeen(rig.session, state, [eidOf(1, 3)]);
    await rig.commit(1, 4);
    // Version 3 is in both: the compacted topic has dropped version 2 since.
    expect((await rig.recover()).emitted).toBe(1);
    expect(await rig.streamed()).toEqual([eidOf(1, 4)]);
  });

  test('a snapshot that was not published is not hidden by the change of the same version that was', async () => {
    await rig.published(await rig.commit(1, 1));
    await rig.commit(1, 1, 'S');
    await rig.recover();
    expect(await rig.streamed()).toEqual([eidOf(1, 1, 'S')]);
  });

  test('old rows that break a younger check go out without the header that breaks it, or are named; the others as they are', async () => {
    const old = async (key: number, version: number, { headers = '{}', aggregate = state }) => {
      await rig.admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
         values ($1, $2, $3, $4, $5, 'U', '{"n": 1.50}', $6)`,
        [eidOf(key, version), aggregate, `key-${key}`, changes, version, headers],
      );
    };
    // As they were written before the checks were made.
    const checks = ['outbox_sound_check'];
    const definitions = await rig.admin.query<{ conname: string; definition: string }>(
      `select conname, pg_get_constraintdef(oid) as definition from pg_constraint
       where conname = any($1) and conrelid = 'outbox'::regclass`,
      [checks],
    );
    expect(definitions.rows).toHaveLength(1);
    for (const name of checks) await rig.admin.query(`alter table outbox drop constraint ${name}`);
    await rig.admin.query('alter table outbox disable trigger outbox_reserved_headers');
    await rig.commit(1, 1);
    await old(1, 2, { headers: '{"traceparent":null,"flow_id":"f","n":1}' });
    await rig.commit(1, 3);
    await old(2, 1, { headers: '{"flow_id":"\\u0000"}' });
    await old(3, 1, { aggregate: 'x'.repeat(300) });
    for (const { conname, definition } of definitions.rows)
      await rig.admin.query(
        `alter table outbox add constraint ${conname} ${definition.replace(/ NOT VALID$/, '')} not valid`,
      );
    await rig.admin.query('alter table outbox enable trigger outbox_reserved_headers');
    const { emitted, mended, refused } = await rig.recover();
    const named = { mended: [...mended].sort(), refused };
    expect(named).toEqual({ mended: [eidOf(1, 2), eidOf(2, 1)], refused: [eidOf(3, 1)] });
    expect(emitted).toBe(4);
    const ids = await rig.streamed();
    expect(ids.filter((id) => id.slice(-4).startsWith('1'))).toEqual(
      [1, 2, 3].map((version) => eidOf(1, version)),
    );
    const { rows } = await rig.admin.query<{ payload: string; headers: string }>(
      'select payload::text, headers::text from outbox where id = $1 order by created_at desc limit 1',
      [eidOf(1, 2)],
    );
    expect(rows).toEqual([{ payload: '{"n": 1.50}', headers: '{ "flow_id" : "f" }' }]);
  });

  test('a second recovery writes nothing twice that the topics have by then, and each event once', async () => {
    await rig.commit(1, 1);
    await rig.recover();
    await rig.session.query('drop table recover_published, recover_last');
    await rig.admin.query('select pg_drop_replication_slot($1)', [slot]);
    await rig.session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    expect((await rig.recover()).emitted).toBe(1);
    await rig.session.query('drop table recover_published, recover_last');
    await rig.admin.query('select pg_drop_replication_slot($1)', [slot]);
    await rig.session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    await rig.published(eidOf(1, 1));
    expect((await rig.recover()).emitted).toBe(0);
  });

  /** A row by which somebody deals with dead letters of a key. */
  async function mark(key: number, version: number, header: string, type = changes) {
    const id = eidOf(key, version);
    const headers = JSON.stringify({ flow_id: 'f', [header]: '1 0/10:0@00000000' });
    await rig.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
       values ($1, $2, $3, $4, $5, 'S', '{}', $6)`,
      [id, state, `key-${key}`, type, version, headers],
    );
    return id;
  }

  test('a dead letter that was on its way again comes as the event that it is: nobody waits for a letter any more', async () => {
    const id = await mark(1, 1, 'outbound_redrive');
    expect((await rig.recover()).emitted).toBe(1);
    expect(await rig.streamed()).toEqual([id]);
    const { rows } = await rig.admin.query<{ headers: string }>(
      'select headers::text from outbox where id = $1 order by created_at desc limit 1',
      [id],
    );
    expect(JSON.parse(rows[0]?.headers ?? '')).toEqual({ flow_id: 'f' });
  });

  test('a row that gave dead letters up is no event: it is not missing, and its type is nobody’s', async () => {
    await mark(1, 1, 'outbound_discard');
    await mark(2, 1, 'outbound_discard', 'outbound.discard');
    await rig.session.query(
      'drop table recover_seen, recover_route, recover_waiting, recover_torn, recover_given_up',
    );
    await prepareBacklog(rig.session, eventTypes);
    const { backlog, emitted } = await rig.recover();
    expect(backlog).toMatchObject({ events: 0, entities: 0 });
    expect(emitted).toBe(0);
  });

  test('entities whose table is not there, or which the relay does not carry, are not asked about', async () => {
    const names = async (...types: readonly string[]) =>
      (
        await storedHere(
          rig.session,
          new Map([...eventTypes].filter(([name]) => types.includes(name))),
        )
      ).map(({ eventType }) => eventType.name);
    expect(await names('catalog.category-change')).toEqual(['catalog.category-change']);
    expect(await names()).toEqual([]);
    await rig.admin.query('alter table category rename to another');
    expect(await names('catalog.category-change', 'catalog.product-change')).toEqual([
      'catalog.product-change',
    ]);
  });

  const failoverOf = async () =>
    (
      await rig.admin.query<{ failover: boolean }>(
        'select failover from pg_replication_slots where slot_name = $1',
        [slot],
      )
    ).rows[0]?.failover;
  const runVerb = (...options: readonly string[]) =>
    outbound(['--json', 'recover', '--yes', ...options], {
      env: { OUTBOUND_DATABASE_URL: rig.operatorUrl, OUTBOUND_SLOT: slot },
    });

  test('the slot can follow a failover, from Postgres 17 on; of one that was left without, only that is made good', async () => {
    await rig.recover();
    const run = await runVerb('--failover');
    if (major < 17) {
      expect(run).toMatchObject({ code: 2 });
      return expect(run.err).toContain('FAILOVER_UNKNOWN');
    }
    expect(run, run.err).toMatchObject({ code: 0 });
    expect(await failoverOf()).toBe(true);
    expect((await runVerb('--failover')).err).toContain('SLOT_HEALTHY');
    const { rows } = await rig.admin.query<{ failover: boolean }>(
      "select (parameters ->> 'failover')::boolean as failover from operation where verb = 'recover' and actor <> 'test'",
    );
    return expect(rows).toEqual([{ failover: true }]);
  });

  // Before 17 there is no such flag, and the test above says how it is refused.
  if (major >= 17)
    test('a relay that takes the slot first does not make the recovery wait for ever: what is left to do is told', async () => {
      await rig.recover();
      const reader = new pg.Client({
        connectionString: `${rig.operatorUrl}${rig.operatorUrl.includes('?') ? '&' : '?'}replication=database`,
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
          await rig.admin.query<{ active: boolean }>(
            'select active from pg_replication_slots where slot_name = $1',
            [slot],
          )
        ).rows[0]?.active === true;
      await eventually(isActive);
      await expect(
        followFailovers(rig.pool, rig.operatorUrl, slot, { patienceMs: 300 }),
      ).rejects.toMatchObject({
        code: 'FAILOVER_NOT_SET',
        message: expect.stringContaining('outbound recover --failover') as string,
      });
      await rig.admin.query(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1',
        [slot],
      );
      await eventually(async () => !(await isActive()));
      expect(await failoverOf()).toBe(false);
      await followFailovers(rig.pool, rig.operatorUrl, slot);
      expect(await failoverOf()).toBe(true);
    });

  test('the slot is recorded before it is there, and its record says where it begins', async () => {
    await rig.admin.query("insert into relay_slot values ($1, 'old', now(), '0/1')", [slot]);
    await rig.recover();
    const { rows } = await rig.admin.query<{ recorded: boolean }>(
      'select r.created_lsn = s.confirmed_flush_lsn as recorded from relay_slot r join pg_replication_slots s using (slot_name)',
    );
    expect(rows).toEqual([{ recorded: true }]);
  });
});
