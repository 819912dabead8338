import type { PostgresMajor } from '@outbound/local-stack';
import { changeRoute, stateRoute, type EventType } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { describe, expect, test } from 'vitest';
import { changes, eidOf, RecoveryRig, slot, state } from '../test-support/recovery-rig.ts';
import { countBacklog, noteSeen, prepareBacklog } from './backlog.ts';
import { givenUpBy, noteGivenUp, readDiscards } from './given-up-letters.ts';
import { noteWaiting } from './waiting-events.ts';
import type { WaitingKey } from '../dead-letters/waiting-keys.ts';

describe.each<PostgresMajor>([18, 15])('what a recovery finds missing on Postgres %i', (major) => {
  const rig = new RecoveryRig(major);

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
    rig.waiting.push(waitingKey);
    return noteWaiting(rig.session, [waitingKey]);
  };

  /** Asks again, of a pipeline with these event types. */
  async function carries(...carried: readonly Pick<EventType, 'name' | 'routes'>[]) {
    await rig.session.query(
      'drop table recover_seen, recover_route, recover_waiting, recover_torn, recover_given_up',
    );
    const like = eventTypes.get(changes);
    if (!like) throw new Error('the event type is not there');
    await prepareBacklog(
      rig.session,
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
    const [first, second] = [await rig.commit(1, 1), await rig.commit(1, 2)];
    const noted = eidOf(1, 3);
    await rig.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ($1, $2, 'key-1', 'x.noted', 3, 'U', '{}')`,
      [noted, state],
    );
    await noteSeen(rig.session, 'a', [first]);
    await noteSeen(rig.session, 'b', [noted]);
    await rig.recover();
    // The last one too: it would stand before the second for whoever reads both from the log.
    expect(await rig.streamed()).toEqual([second, noted]);
  });

  test('a change is not hidden by a later snapshot that does not go to its topic, and the snapshot is the last of its own again', async () => {
    const all = changeRoute('a', size);
    const routes = [{ ...all, forms: { ...all.forms, S: 'skip' as const } }, stateRoute('b', size)];
    await carries({ name: changes, routes });
    const [first, second] = [await rig.commit(1, 1), await rig.commit(1, 2)];
    const snapshot = await rig.commit(1, 3, 'S');
    await noteSeen(rig.session, 'a', [first]);
    await noteSeen(rig.session, 'b', [first, second, snapshot]);
    await rig.recover();
    expect(await rig.streamed()).toEqual([second, snapshot]);
  });

  test('an event that was created before those that were counted, and committed later, is not forgotten: the clock was set back', async () => {
    await rig.commit(1, 1);
    const backlog = await countBacklog(rig.session);
    // The same as a clock that was five seconds ahead when it was counted.
    const { counted, since } = backlog;
    const ahead = { ...backlog, counted: { ...counted, serverMs: counted.serverMs + 5000 } };
    const late = async () => {
      await rig.admin.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
         values ($1, $2, 'key-2', $3, 1, 'C', '{}', $4)`,
        [eidOf(2, 1), state, changes, new Date(since.getTime() - 3000)],
      );
    };
    expect((await rig.recover(late, ahead)).emitted).toBe(2);
    expect((await rig.streamed()).sort()).toEqual([eidOf(1, 1), eidOf(2, 1)]);
  });

  /** The letters 1 to 3 of key-1, versions 2 to 4, were given up by this row. */
  async function giveUp(letters = 3) {
    await rig.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
       values (gen_random_uuid(), $1, 'key-1', $2, 1, 'S', '{}', $3)`,
      [state, changes, JSON.stringify({ outbound_discard: `${letters} 0/1:0` })],
    );
  }
  async function noteLetters() {
    const discards = await readDiscards(rig.session);
    const letters = [1, 2, 3, 4].map((number) => ({
      ...{ eid: eidOf(1, number + 1), aggregateType: state, aggregateId: 'key-1' },
      ...{ since: '0/1:0', number },
    }));
    await noteGivenUp(
      rig.session,
      letters.flatMap((letter) => givenUpBy(discards, letter) ?? []),
    );
  }

  test('an event that was given up as a dead letter does not come again: its key would be parked once more', async () => {
    await rig.published(await rig.commit(1, 1));
    for (const version of [2, 3, 4]) await rig.commit(1, version);
    await giveUp();
    await rig.published(await rig.commit(1, 4, 'S'));
    const fifth = await rig.commit(1, 5);
    await noteLetters();
    await rig.recover();
    expect(await rig.streamed()).toEqual([fifth]);
  });

  test('an event whose letter an earlier recovery gave up for it comes again', async () => {
    await rig.published(await rig.commit(1, 1));
    for (const version of [2, 3, 4]) await rig.commit(1, version);
    await parked(1, 3, 4);
    await rig.recover();
    await rig.session.query('drop table recover_published, recover_last');
    await rig.admin.query('select pg_drop_replication_slot($1)', [slot]);
    await rig.session.query('select pg_drop_replication_slot($1)', ['outbound_recovery']);
    await carries(...[...eventTypes.values()]);
    rig.waiting = [];
    await rig.published(eidOf(1, 1));
    const discards = await readDiscards(rig.session);
    expect([...discards.values()].flat()).toMatchObject([{ number: 2 }]);
    const letters = [3, 4].map((version, index) => ({
      ...{ eid: eidOf(1, version), aggregateType: state, aggregateId: 'key-1' },
      ...{ since: '0/1:0', number: index + 1 },
    }));
    await noteGivenUp(
      rig.session,
      letters.flatMap((letter) => givenUpBy(discards, letter) ?? []),
    );
    await rig.recover();
    expect(await rig.streamed()).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
  });

  test('what waits in the dead letters is not written again: behind itself it would be parked twice', async () => {
    await rig.published(await rig.commit(1, 1));
    await rig.commit(1, 2);
    await rig.commit(1, 3);
    await parked(1, 2, 3);
    await rig.commit(1, 4);
    const { backlog } = await rig.recover();
    expect(backlog).toMatchObject({ events: 1, overtaken: [] });
    expect(await rig.streamed()).toEqual([eidOf(1, 4)]);
  });

  // It was on its way to its topics when the next one went to the dead letters, and both roads are apart.
  test('an event that is older than what waits of its key comes again with it, and the letters are given up', async () => {
    await rig.published(await rig.commit(1, 1), await rig.commit(2, 1));
    for (const version of [2, 3, 4]) await rig.commit(1, version);
    await parked(1, 3, 4);
    await rig.commit(2, 2);
    await parked(2, 2);
    const { backlog } = await rig.recover();
    expect(backlog.overtaken).toEqual([{ aggregateType: state, aggregateId: 'key-1' }]);
    const [discard, ...again] = await rig.streamed();
    expect(again).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
    const { rows } = await rig.admin.query(
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
      await rig.published(await rig.commit(1, 1));
      for (const version of [2, 3, 4]) await rig.commit(1, version);
      await waits(1, letters, count);
      const { backlog } = await rig.recover();
      expect(backlog.overtaken).toEqual([{ aggregateType: state, aggregateId: 'key-1' }]);
      const [discard, ...again] = await rig.streamed();
      expect(again).toEqual([eidOf(1, 2), eidOf(1, 3), eidOf(1, 4)]);
      const { rows } = await rig.admin.query('select headers::text from outbox where id = $1', [
        discard,
      ]);
      expect(rows).toEqual([{ headers: `{"outbound_discard":"${count} 0/1:0"}` }]);
    },
  );

  test('letters are given up only for events that the outbox has all of', async () => {
    await rig.published(await rig.commit(1, 1));
    await rig.commit(1, 2);
    await parked(1, 3);
    const { backlog } = await rig.recover();
    expect(backlog.overtaken).toEqual([]);
    expect(await rig.streamed()).toEqual([eidOf(1, 2)]);
  });

  test('event types that are not known are named, and their events are missing unless they wait', async () => {
    await rig.published(await rig.commit(1, 1));
    const insert = (id: string, type: string, headers = '{}') =>
      rig.admin.query(
        "insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers) values ($1, $2, 'key-1', $3, 2, 'C', '{}', $4)",
        [id, state, type, headers],
      );
    await insert(eidOf(1, 2), 'x.waits');
    await parked(1, 2);
    // Written to deal with a dead letter: the relay takes it whatever its type.
    await insert(eidOf(9, 1), 'x.waits', '{"outbound_discard":"1 0/1:0"}');
    expect(await countBacklog(rig.session)).toMatchObject({ events: 0, unknownTypes: [] });
    await rig.session.query('drop table recover_published, recover_last');
    await insert(eidOf(1, 3), 'x.gap');
    const { backlog, emitted } = await rig.recover();
    expect(backlog).toMatchObject({ events: 1, unknownTypes: ['x.gap'] });
    expect(emitted).toBe(1);
    expect(await rig.streamed()).toEqual([eidOf(1, 3)]);
  });

  test('the log that it takes is told before: within a half of it, and of what is compressed as it is kept', async () => {
    await rig.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
       select gen_random_uuid(), $1, 'k' || n, $2, 1, 'C',
         json_build_object('x', (select string_agg(md5(n::text || i::text), '') from generate_series(1, (n % 3) * 60) i), 'y', repeat('y', 3000))
       from generate_series(1, 3000) n`,
      [state, changes],
    );
    const backlog = await countBacklog(rig.session);
    const at = async () =>
      (await rig.admin.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn'))
        .rows[0]?.lsn ?? '';
    let before = '';
    await rig.recover(async () => {
      before = await at();
    }, backlog);
    const { rows } = await rig.admin.query<{ taken: number }>(
      'select pg_wal_lsn_diff($1, $2)::float8 as taken',
      [await at(), before],
    );
    const taken = rows[0]?.taken ?? 0;
    console.log(`log: ${backlog.logBytes} told, ${taken} taken`);
    expect(backlog.logBytes).toBeGreaterThan(taken / 1.5);
    expect(backlog.logBytes).toBeLessThan(taken * 1.5);
  });
});
