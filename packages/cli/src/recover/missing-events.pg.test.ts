import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { changeRoute, stateRoute, type EventType } from '@outbound/contract';
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
import { givenUpBy, noteGivenUp, readDiscards } from './given-up-letters.ts';
import { giveUpOvertaken, noteWaiting } from './waiting-events.ts';
import type { WaitingKey } from '../dead-letters/waiting-keys.ts';
import { bridge, createInterimSlot, installSlot } from './new-slot.ts';

const slot = 'outbound';
const changes = 'catalog.category-change';
const state = 'catalog.category';

describe.each<PostgresMajor>([18, 15])('what a recovery finds missing on Postgres %i', (major) => {
  let server: PostgresServer;
  let admin: pg.Client;
  let session: pg.Client;
  let pool: pg.Pool;
  let operatorUrl = '';
  let count = 0;
  let waiting: WaitingKey[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('migrated');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    const url = await server.createDatabase(`missing_${(count += 1)}`, 'migrated');
    const login = { username: 'outbound_operator', password: 'operator' };
    operatorUrl = Object.assign(new URL(url), login).href;
    admin = new pg.Client(url);
    session = new pg.Client(operatorUrl);
    pool = new pg.Pool({ connectionString: operatorUrl });
    await admin.connect();
    await session.connect();
    await prepareBacklog(session, eventTypes);
    waiting = [];
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
      emit: async () => {
        await giveUpOvertaken(session, backlog, waiting);
        return emitMissingAgain(session, backlog);
      },
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

  /** The key is parked, and these of its versions wait. */
  const parked = (key: number, ...versions: readonly number[]) => waits(key, versions);
  /** `count`: so many letters has the relay decided on. */
  const waits = (key: number, versions: readonly number[], count = versions.length) => {
    const letters = versions.map((version, index) => ({
      ...{ since: '0/1:0', number: index + 1, eid: eidOf(key, version), type: changes },
      ...{ aggregateType: state, aggregateId: `key-${key}`, version: String(version) },
      ...{ dataOp: 'U', payload: null, leftOutBytes: undefined, headers: '{}' },
      ...{ reason: 'parked', code: 'KEY_PARKED', message: '', at: '' },
    }));
    const ends = { firstEid: letters[0]?.eid ?? '', lastEid: letters.at(-1)?.eid ?? '' };
    const waitingKey: WaitingKey = {
      aggregateType: state,
      aggregateId: `key-${key}`,
      state: {
        ...{ since: '0/1:0', count, done: 0, code: 'EVENT_REFUSED' },
        ...{ type: changes, at: '', ...ends },
      },
      place: '0/1:0@00000000',
      letters,
    };
    waiting.push(waitingKey);
    return noteWaiting(session, [waitingKey]);
  };

  /** Asks again, of a pipeline with these event types. */
  async function carries(...carried: readonly Pick<EventType, 'name' | 'routes'>[]) {
    await session.query(
      'drop table recover_seen, recover_route, recover_waiting, recover_torn, recover_given_up',
    );
    const like = eventTypes.get(changes);
    if (!like) throw new Error('the event type is not there');
    await prepareBacklog(
      session,
      new Map(carried.map((each) => [each.name, { ...like, ...each }])),
    );
  }
  const size = { partitions: 1, retentionMs: 86_400_000 };

  // A lane is in order; two lanes are not.
  test('what one topic has says nothing of another: two event types of one entity', async () => {
    await carries(
      { name: changes, routes: [changeRoute('a', size)] },
      { name: 'x.noted', routes: [changeRoute('b', size)] },
    );
    const [first, second] = [await commit(1, 1), await commit(1, 2)];
    const noted = eidOf(1, 3);
    await admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ($1, $2, 'key-1', 'x.noted', 3, 'U', '{}')`,
      [noted, state],
    );
    await noteSeen(session, 'a', [first]);
    await noteSeen(session, 'b', [noted]);
    await recover();
    // The last one too: it would stand before the second for whoever reads both from the log.
    expect(await streamed()).toEqual([second, noted]);
  });

  test('a change is not hidden by a later snapshot that does not go to its topic, and the snapshot is the last of its own again', async () => {
    const all = changeRoute('a', size);
    const routes = [{ ...all, forms: { ...all.forms, S: 'skip' as const } }, stateRoute('b', size)];
    await carries({ name: changes, routes });
    const [first, second] = [await commit(1, 1), await commit(1, 2)];
    const snapshot = await commit(1, 3, 'S');
    await noteSeen(session, 'a', [first]);
    await noteSeen(session, 'b', [first, second, snapshot]);
    await recover();
    expect(await streamed()).toEqual([second, snapshot]);
  });

  test('an event that was created before those that were counted, and committed later, is not forgotten: the clock was set back', async () => {
    await commit(1, 1);
    const backlog = await countBacklog(session);
    // The same as a clock that was five seconds ahead when it was counted.
    const { counted, since } = backlog;
    const ahead = { ...backlog, counted: { ...counted, serverMs: counted.serverMs + 5000 } };
    const late = async () => {
      await admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
         values ($1, $2, 'key-2', $3, 1, 'C', '{}', $4)`,
        [eidOf(2, 1), state, changes, new Date(since.getTime() - 3000)],
      );
    };
    expect((await recover(late, ahead)).emitted).toBe(2);
    expect((await streamed()).sort()).toEqual([eidOf(1, 1), eidOf(2, 1)]);
  });

  /** The letters 1 to 3 of key-1, versions 2 to 4, were given up by this row. */
  async function giveUp(letters = 3) {
    await admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
       values (gen_random_uuid(), $1, 'key-1', $2, 1, 'S', '{}', $3)`,
      [state, changes, JSON.stringify({ outbound_discard: `${letters} 0/1:0` })],
    );
  }
  async function noteLetters() {
    const discards = await readDiscards(session);
    const letters = [1, 2, 3, 4].map((number) => ({
      ...{ eid: eidOf(1, number + 1), aggregateType: state, aggregateId: 'key-1' },
      ...{ since: '0/1:0', number },
    }));
    await noteGivenUp(
      session,
      letters.flatMap((letter) => givenUpBy(discards, letter) ?? []),
    );
  }

  test('an event that was given up as a dead letter does not come again: its key would be parked once more', async () => {
    await published(await commit(1, 1));
    for (const version of [2, 3, 4]) await commit(1, version);
    await giveUp();
    await published(await commit(1, 4, 'S'));
    const fifth = await commit(1, 5);
    await noteLetters();
    await recover();
    expect(await streamed()).toEqual([fifth]);
  });

  test('an event whose letter an earlier recovery gave up for it comes again', async () => {
    await published(await commit(1, 1));
    for (const version of [2, 3, 4]) await commit(1, version);
    await parked(1, 3, 4);
    await recover();
    await session.query('drop table recover_published, recover_last');
    await admin.query('select pg_drop_replication_slot($1)', [slot]);
    await session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    await carries(...[...eventTypes.values()]);
    waiting = [];
    await published(eidOf(1, 1));
    const discards = await readDiscards(session);
    expect([...discards.values()].flat()).toMatchObject([{ number: 2 }]);
    const letters = [3, 4].map((version, index) => ({
      ...{ eid: eidOf(1, version), aggregateType: state, aggregateId: 'key-1' },
      ...{ since: '0/1:0', number: index + 1 },
    }));
    await noteGivenUp(
      session,
      letters.flatMap((letter) => givenUpBy(discards, letter) ?? []),
    );
    await recover();
    expect(await streamed()).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
  });

  test('what waits in the dead letters is not written again: behind itself it would be parked twice', async () => {
    await published(await commit(1, 1));
    await commit(1, 2);
    await commit(1, 3);
    await parked(1, 2, 3);
    await commit(1, 4);
    const { backlog } = await recover();
    expect(backlog).toMatchObject({ events: 1, overtaken: [] });
    expect(await streamed()).toEqual([eidOf(1, 4)]);
  });

  // It was on its way to its topics when the next one went to the dead letters, and both roads are apart.
  test('an event that is older than what waits of its key comes again with it, and the letters are given up', async () => {
    await published(await commit(1, 1), await commit(2, 1));
    for (const version of [2, 3, 4]) await commit(1, version);
    await parked(1, 3, 4);
    await commit(2, 2);
    await parked(2, 2);
    const { backlog } = await recover();
    expect(backlog.overtaken).toEqual([{ aggregateType: state, aggregateId: 'key-1' }]);
    const [discard, ...again] = await streamed();
    expect(again).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
    const { rows } = await admin.query(
      'select aggregateid, headers::text from outbox where id = $1',
      [discard],
    );
    // Before them: the key is free when the relay comes to them.
    expect(rows).toEqual([{ aggregateid: 'key-1', headers: '{"outbound_discard":"2 0/1:0"}' }]);
  });

  // Journal and letter are written to two topics, and the relay had ended in between.
  test.each([
    ['in the midst', [2, 3], 4],
    ['alone', [], 1],
  ] as const)(
    'a letter that never came (%s) is no wall: what waits of its key is given up, and comes again with its event',
    async (_, letters, count) => {
      await published(await commit(1, 1));
      for (const version of [2, 3, 4]) await commit(1, version);
      await waits(1, letters, count);
      const { backlog } = await recover();
      expect(backlog.overtaken).toEqual([{ aggregateType: state, aggregateId: 'key-1' }]);
      const [discard, ...again] = await streamed();
      expect(again).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
      const { rows } = await admin.query('select headers::text from outbox where id = $1', [
        discard,
      ]);
      expect(rows).toEqual([{ headers: `{"outbound_discard":"${count} 0/1:0"}` }]);
    },
  );

  test('letters are given up only for events that the outbox has all of', async () => {
    await published(await commit(1, 1));
    await commit(1, 2);
    await parked(1, 3);
    const { backlog } = await recover();
    expect(backlog.overtaken).toEqual([]);
    expect(await streamed()).toEqual([eidOf(1, 2)]);
  });

  test('event types that are not known are named, and their events are missing unless they wait', async () => {
    await published(await commit(1, 1));
    const insert = (id: string, type: string, headers = '{}') =>
      admin.query(
        "insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers) values ($1, $2, 'key-1', $3, 2, 'C', '{}', $4)",
        [id, state, type, headers],
      );
    await insert(eidOf(1, 2), 'x.waits');
    await parked(1, 2);
    // Written to deal with a dead letter: the relay takes it whatever its type.
    await insert(eidOf(9, 1), 'x.waits', '{"outbound_discard":"1 0/1:0"}');
    expect(await countBacklog(session)).toMatchObject({ events: 0, unknownTypes: [] });
    await session.query('drop table recover_published, recover_last');
    await insert(eidOf(1, 3), 'x.gap');
    const { backlog, emitted } = await recover();
    expect(backlog).toMatchObject({ events: 1, unknownTypes: ['x.gap'] });
    expect(emitted).toBe(1);
    expect(await streamed()).toEqual([eidOf(1, 3)]);
  });

  test('the log that it takes is told before: within a half of it, and of what is compressed as it is kept', async () => {
    await admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       select gen_random_uuid(), $1, 'k' || n, $2, 1, 'C',
         json_build_object('x', (select string_agg(md5(n::text || i::text), '') from generate_series(1, (n % 3) * 60) i), 'y', repeat('y', 3000))
       from generate_series(1, 3000) n`,
      [state, changes],
    );
    const backlog = await countBacklog(session);
    const at = async () =>
      (await admin.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn'))
        .rows[0]?.lsn ?? '';
    let before = '';
    await recover(async () => {
      before = await at();
    }, backlog);
    const { rows } = await admin.query<{ taken: number }>(
      'select pg_wal_lsn_diff($1, $2)::float8 as taken',
      [await at(), before],
    );
    const taken = rows[0]?.taken ?? 0;
    console.log(`log: ${backlog.logBytes} told, ${taken} taken`);
    expect(backlog.logBytes).toBeGreaterThan(taken / 1.5);
    expect(backlog.logBytes).toBeLessThan(taken * 1.5);
  });
});
