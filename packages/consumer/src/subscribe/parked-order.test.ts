import { beforeEach, describe, expect, it } from 'vitest';
import { gate } from '../../test-support/gate.ts';
import { notesTopic as topic, record, setUp } from '../../test-support/delivery-rig.ts';
import { createMemoryParkedKeys, type ParkedKeys } from '../dead-letters/parked-keys.ts';
import { standingOf } from '../dead-letters/parked-standing.ts';

const scope = { group: 'g', topic };
const records = (from = 1) =>
  [1, 2, 3, 4].slice(from - 1).map((version) => record(version, 'a', version));

describe('a parked key after a restart', () => {
  let keys: ParkedKeys;
  /** Versions that the handler of any process was given and took. */
  let handled: (number | undefined)[];
  let poison: readonly number[];

  beforeEach(() => {
    keys = createMemoryParkedKeys();
    handled = [];
    poison = [2];
  });

  /** A process that begins at the first of these; what it delivers, one by one, until something ends it. */
  async function start(
    form: 'one' | 'batch',
    each: ReturnType<typeof records>,
    isTaken: () => boolean = () => true,
  ) {
    const handle = ({ version = 0 }) => {
      if (poison.includes(version)) throw new Error(`poison ${version}`);
      handled.push(version);
    };
    const rig = setUp(
      form === 'one'
        ? { handle }
        : {
            handleBatch: (events) => {
              const found = events.find(({ version = 0 }) => poison.includes(version));
              if (found) throw new Error(`poison ${found.version}`);
              events.forEach(handle);
            },
          },
      { keys, isTaken },
    );
    await rig.desk.load({ topic, partition: 0 });
    try {
      if (form === 'batch') await rig.batch(each);
      else for (const next of each) await rig.delivery.one(next, rig.life);
    } catch (error) {
      return { letters: rig.letters, error };
    }
    return { letters: rig.letters, error: undefined };
  }

  it.each(['one', 'batch'] as const)(
    'sends the dead letter that had not been taken, as what failed and before those behind it (%s)',
    async (form) => {
      const first = await start(form, records(), () => false);
      expect(first).toMatchObject({ letters: [], error: { code: 'DEAD_LETTER_FAILED' } });
      const second = await start(form, records(2));
      expect(second.letters).toEqual(['a@2 failed', 'a@3 parked', 'a@4 parked']);
      expect(handled).toEqual([1]);
    },
  );

  it.each(['one', 'batch'] as const)(
    'sends it again where it is not known whether it was taken (%s)',
    async (form) => {
      await start(form, records());
      expect((await start(form, records(2))).letters).toEqual([
        'a@2 failed',
        'a@3 parked',
        'a@4 parked',
      ]);
    },
  );

  it('sends nothing, and lets nothing pass, where the key could not be parked', async () => {
    const stored = keys;
    keys = { ...stored, park: () => Promise.reject(new Error('away')) };
    const first = await start('one', records());
    expect(first).toMatchObject({ letters: [], error: { code: 'DEAD_LETTER_FAILED' } });
    keys = stored;
    expect((await start('one', records(2))).letters[0]).toBe('a@2 failed');
  });

  it('handles earlier events again that come again, instead of sending them behind', async () => {
    await start('one', records());
    const { letters } = await start('one', records());
    expect(handled).toEqual([1, 1]);
    expect(letters).toEqual(['a@2 failed', 'a@3 parked', 'a@4 parked']);
  });

  it('is parked for the earlier one when an event before it fails at its second time', async () => {
    await start('one', records());
    poison = [1];
    const { letters } = await start('one', records());
    expect(letters).toEqual(['a@1 failed', 'a@2 parked', 'a@3 parked', 'a@4 parked']);
    expect(handled).toEqual([1]);
  });

  it('stays parked when its first event can be handled by now', async () => {
    await start('one', records(), () => false);
    poison = [];
    const { letters } = await start('one', records(2));
    expect(handled).toEqual([1, 2]);
    expect(letters).toEqual(['a@3 parked', 'a@4 parked']);
    expect(await keys.release(scope, 'a')).toBe(true);
  });

  it('is not parked by a process that was suspended and has lost the partition meanwhile', async () => {
    const { opened, open } = gate();
    const stored = keys;
    let isSuspended: () => void = () => undefined;
    const suspended = new Promise<void>((resolve) => {
      isSuspended = resolve;
    });
    keys = {
      ...stored,
      park: async (...park) => {
        isSuspended();
        await opened;
        await stored.park(...park);
      },
    };
    const first = start('one', records());
    await suspended;
    // Another process has the partition, and can handle the event.
    keys = stored;
    poison = [];
    expect((await start('one', records(2))).letters).toEqual([]);
    open();
    expect(await first).toMatchObject({ letters: [], error: { code: 'DEAD_LETTER_FAILED' } });
    expect(await stored.list(scope)).toEqual(new Set());
    expect(handled).toEqual([1, 2, 3, 4]);
  });

  it('says for which event a record waits', async () => {
    await keys.park(scope, 'a', { eid: 'e-first', place: undefined });
    const rig = setUp({ handle: () => undefined }, { keys });
    await rig.desk.load({ topic, partition: 0 });
    await rig.delivery.one(record(9, 'a', 9), rig.life);
    expect(rig.messages).toEqual([
      'its key is parked since event e-first could not be handled, so it waits behind that one',
    ]);
  });
});

it('handles what was before the parked event again, although a clock was set back between the two', async () => {
  const keys = createMemoryParkedKeys();
  const handled: number[] = [];
  const times = [2_000, 1_000, 1_001];
  const each = [1, 2, 3].map((version, index) => ({
    ...record(version, 'a', version),
    timestampMs: times[index] ?? 0,
  }));
  for (let run = 0; run < 2; run += 1) {
    const handle = ({ version = 0 }) => {
      if (version === 2) throw new Error('poison');
      handled.push(version);
    };
    const rig = setUp({ handle }, { keys, topicId: 'id' });
    await rig.desk.load({ topic, partition: 0 });
    for (const next of each) await rig.delivery.one(next, rig.life);
    expect(rig.letters).toEqual(['a@2 failed', 'a@3 parked']);
  }
  expect(handled).toEqual([1, 1]);
});

describe('standingOf', () => {
  const place = { partition: 0, offset: 5n, timestampMs: 100 };
  const at = (over: Partial<typeof place>) => ({ ...record(0, 'a', 1), ...place, ...over });

  it.each([
    ['the event itself', {}, 'first'],
    ['one before it', { offset: 4n, timestampMs: 99 }, 'earlier'],
    ['one behind it', { offset: 6n }, 'later'],
    ['one at its place in a topic that was made again', { timestampMs: 200 }, 'later'],
    [
      'one before its place in a topic that was made again',
      { offset: 1n, timestampMs: 200 },
      'later',
    ],
    ['one of another partition', { partition: 1, offset: 1n, timestampMs: 1 }, 'later'],
  ])('knows %s by its place and time', (_, over, standing) => {
    expect(standingOf(at(over), 'e', { eid: 'e', place })).toBe(standing);
  });

  it('goes by the id, in its earlier form too, where an earlier release has parked the key', () => {
    const standing = (eid: string, first: string) =>
      standingOf(at({}), eid, { eid: first, place: undefined });
    expect(standing('e', 'e')).toBe('first');
    expect(standing('t/0/5@100', 't/0/5')).toBe('first');
    expect(standing('e', 'f')).toBe('later');
  });
});
