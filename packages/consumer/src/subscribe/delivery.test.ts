import { setImmediate as turn } from 'node:timers/promises';
import { recordHeader } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { notesTopic, record, setUp } from '../../test-support/delivery-rig.ts';
import type { NoteEvent } from '../../test-support/notes.ts';
import { createMemoryParkedKeys } from '../dead-letters/parked-keys.ts';

const topic = notesTopic;

const names = (events: readonly NoteEvent[]) =>
  events.map(({ key, version }) => `${key}${version}`);

describe('Delivery of single events', () => {
  it('is done without a promise where the handler needs none', () => {
    const seen: string[] = [];
    const { delivery, life, counts } = setUp({ handle: (event) => void seen.push(event.key) });
    expect(delivery.one(record(0, 'a', 1), life)).toBe(true);
    expect(seen).toEqual(['a']);
    expect(counts).toMatchObject({ handled: 1 });
  });

  it('tries again what throws before its first await, or rejects, and counts it once', async () => {
    const attempts: number[] = [];
    const { delivery, life, counts } = setUp(
      {
        handle: (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error('at once');
          return attempt === 2 ? Promise.reject(new Error('later')) : Promise.resolve();
        },
      },
      { retry: { attempts: 3 } },
    );
    expect(await delivery.one(record(0, 'a', 1), life)).toBe(true);
    expect(attempts).toEqual([1, 2, 3]);
    expect(counts.handled).toBe(1);
  });

  it('gives up at the end of the life instead of trying again', async () => {
    const { delivery, life } = setUp(
      { handle: () => Promise.reject(new Error('no')) },
      { retry: { attempts: 9, baseMs: 60_000, maxMs: 60_000 } },
    );
    const delivered = delivery.one(record(0, 'a', 1), life);
    await turn();
    life.end();
    expect(await delivered).toBe(false);
  });

  it('abandons the life of a partition whose handler takes too long, and says so', async () => {
    const { delivery, life, late } = setUp(
      { handle: () => new Promise(() => undefined) },
      { limitMs: 20 },
    );
    expect(delivery.one(record(0, 'a', 1), life)).toBeInstanceOf(Promise);
    for (const untilMs = performance.now() + 5_000; late.length < 1 && performance.now() < untilMs;)
      await turn();
    expect(late).toMatchObject([{ code: 'HANDLER_TIMEOUT' }]);
    expect(life.abandoned.aborted).toBe(true);
  });

  it('puts keys that are no text aside one by one', async () => {
    const seen: string[] = [];
    const { delivery, life, letters } = setUp({
      handle: ({ version, key }) => {
        if (version === 1) throw new Error('poison');
        seen.push(key);
      },
    });
    const binary = (offset: number, hex: string, version: number) => ({
      ...record(offset, 'x', version),
      key: Buffer.from(hex, 'hex'),
    });
    await delivery.one(binary(0, 'fffe0001', 1), life);
    await delivery.one(binary(1, 'ffff0001', 2), life);
    await delivery.one(binary(2, 'fffe0001', 2), life);
    expect(seen).toEqual(['\\xffff0001']);
    expect(letters.map((each) => each.split(' ')[1])).toEqual(['failed', 'parked']);
  });
});

describe('Delivery in batches', () => {
  it('hands earlier events of a key to the handler before a record that cannot be read parks it', async () => {
    const batches: string[][] = [];
    const { batch, letters, finished } = setUp({
      handleBatch: (events) => void batches.push(names(events)),
    });
    const records = [
      record(0, 'a', 1),
      record(1, 'b', 1),
      record(2, 'a', 'broken'),
      record(3, 'a', 3),
      record(4, 'b', 2),
    ];
    expect(await batch(records)).toBe(true);
    expect(batches).toEqual([['a1', 'b1'], ['b2']]);
    expect(letters).toEqual(['a@2 failed', 'a@3 parked']);
    expect(finished.toSorted()).toEqual([0, 1, 2, 3, 4]);
  });

  it('commits earlier events before a record that cannot be read ends the subscription', async () => {
    const batches: string[][] = [];
    const { batch, finished } = setUp(
      { handleBatch: (events) => void batches.push(names(events)) },
      { policy: { then: 'stop' } },
    );
    await expect(
      batch([record(0, 'a', 1), record(1, 'a', 'broken'), record(2, 'b', 1)]),
    ).rejects.toMatchObject({ code: 'EVENT_INVALID' });
    expect(batches).toEqual([['a1']]);
    expect(finished).toEqual([0]);
  });

  it.each([
    ['parks the later events of its key', 'park' as const, ['a@0 failed', 'a@2 parked'], ['b1']],
    ['lets the later events of its key pass', 'continue' as const, ['a@0 failed'], ['b1', 'a2']],
  ])('finds the event that fails a batch, and %s', async (_, policy, expected, handled) => {
    const seen: string[] = [];
    const { batch, letters, counts } = setUp(
      {
        handleBatch: async (events) => {
          await turn();
          if (names(events).includes('a1')) throw new Error('poison');
          seen.push(...names(events));
        },
      },
      { policy },
    );
    expect(await batch([record(0, 'a', 1), record(1, 'b', 1), record(2, 'a', 2)])).toBe(true);
    expect(letters).toEqual(expected);
    expect(seen).toEqual(handled);
    expect(counts.handled).toBe(handled.length);
  });

  it('leaves out what is of another type, and counts it', async () => {
    const seen: string[] = [];
    const { batch, counts } = setUp({ handleBatch: (events) => void seen.push(...names(events)) });
    const other = { [recordHeader.type]: 'something.else' };
    expect(await batch([record(0, 'a', 1), record(1, 'a', 7, other)])).toBe(true);
    expect(seen).toEqual(['a1']);
    expect(counts).toMatchObject({ handled: 1, ignored: 1 });
  });
});

describe('the proof that nothing was missed', () => {
  it.each(['one', 'batch'] as const)(
    'tells a missing version before its event is handled (%s)',
    async (form) => {
      const happened: unknown[] = [];
      const { delivery, life, counts, batch } = setUp(
        form === 'one'
          ? { handle: ({ version }) => void happened.push(version) }
          : {
              handleBatch: (events) => void happened.push(...events.map(({ version }) => version)),
            },
        { onVersionGap: (gap) => happened.push(gap) },
      );
      const records = [record(0, 'a', 1), record(1, 'b', 9), record(2, 'a', 4)];
      const gap = { topic, partition: 0, offset: 2n, key: 'a', expected: 2, found: 4 };
      if (form === 'one') for (const each of records) await delivery.one(each, life);
      else await batch(records);
      expect(happened).toEqual(form === 'one' ? [1, 9, gap, 4] : [gap, 1, 9, 4]);
      expect(counts.versionGaps).toBe(1);
    },
  );

  it.each(['one', 'batch'] as const)(
    'calls no gap what went by without being read: poison, or a version that is skipped (%s)',
    async (form) => {
      const gaps: unknown[] = [];
      const { delivery, life, batch } = setUp(
        form === 'one' ? { handle: () => undefined } : { handleBatch: () => undefined },
        { onVersionGap: (gap) => gaps.push(gap), policy: 'continue' },
      );
      const poison = { ...record(1, 'a', 2), value: Buffer.from('no JSON'), headerList: () => [] };
      const records = [record(0, 'a', 1), poison, record(2, 'a', 3), record(3, 'a', 5)];
      if (form === 'one') for (const each of records) await delivery.one(each, life);
      else await batch(records);
      expect(gaps).toMatchObject([{ expected: 4, found: 5 }]);
    },
  );

  it.each(['one', 'batch'] as const)(
    'calls no gap what went behind the dead letter of its key, once the key is released (%s)',
    async (form) => {
      const gaps: unknown[] = [];
      const keys = createMemoryParkedKeys();
      const fail = ({ version }: NoteEvent) => {
        if (version === 2) throw new Error('poison');
      };
      const { delivery, life, batch, letters } = setUp(
        form === 'one' ? { handle: fail } : { handleBatch: (events) => events.forEach(fail) },
        { onVersionGap: (gap) => gaps.push(gap), keys },
      );
      const deliver = async (versions: readonly number[]) => {
        const records = versions.map((version) => record(version, 'a', version));
        if (form === 'one') for (const each of records) await delivery.one(each, life);
        else await batch(records);
      };
      await deliver([1, 2]);
      await deliver([3, 4]);
      await keys.release({ group: 'g', topic }, 'a');
      await deliver([5, 7]);
      expect(letters).toEqual(['a@2 failed', 'a@3 parked', 'a@4 parked']);
      expect(gaps).toMatchObject([{ expected: 6, found: 7 }]);
    },
  );

  it('ends the subscription with what the hook throws, before the event is handled', async () => {
    const seen: unknown[] = [];
    const { delivery, life } = setUp(
      { handle: ({ version }) => void seen.push(version) },
      {
        onVersionGap: () => {
          throw new Error('missed something');
        },
      },
    );
    await delivery.one(record(0, 'a', 1), life);
    expect(() => delivery.one(record(1, 'a', 3), life)).toThrow('missed something');
    expect(seen).toEqual([1]);
  });

  it('says nothing of a compacted topic, whose gaps are its nature, nor of a topic that nobody declared', async () => {
    for (const topicName of ['test.note', 'somewhere.else']) {
      const { delivery, life, counts } = setUp({ handle: () => undefined }, { topicName });
      for (const version of [1, 5]) await delivery.one(record(version, 'a', version), life);
      expect(counts.versionGaps).toBe(0);
    }
  });
});
