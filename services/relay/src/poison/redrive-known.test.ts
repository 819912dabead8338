import type { DeadLetter, OutboxRowText } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import type { ParkedKey } from './parked-key.ts';
import { redriveKnown } from './redrive-known.ts';
import { RedriveTries } from './redrive-tries.ts';

const since = '0/10:0@00000000';

function letter(aggregateId: string, number: number, over: Partial<DeadLetter> = {}): DeadLetter {
  return {
    ...{ since, number, eid: `${aggregateId} ${number}`, aggregateType: 'a', aggregateId },
    ...{ type: 't', version: String(number), dataOp: 'U', payload: Buffer.from('{}') },
    ...{ leftOutBytes: undefined, headers: '{}', reason: 'parked', code: 'KEY_PARKED' },
    ...{ message: '', at: '' },
    ...over,
  };
}

function parked(aggregateId: string, count: number, done = 0): ParkedKey {
  const state = { since, count, done, code: 'EVENT_TYPE_UNKNOWN', type: 't', at: '' };
  return { aggregateType: 'a', aggregateId, state: { ...state, firstEid: '', lastEid: '' } };
}

/** A pipeline with dead letters, and a relay that looks at them again and again. */
class Rig {
  keys: ParkedKey[] = [];
  topic: DeadLetter[] = [];
  readings = 0;
  readonly bundles: OutboxRowText[][] = [];
  readonly stuck: string[] = [];
  /** Event ids that the database does not take. */
  readonly refused = new Set<string>();
  readonly #tries = new RedriveTries();

  async look(signal?: AbortSignal): Promise<number> {
    return redriveKnown(
      {
        parked: () => this.keys,
        knows: (type) => type === 't',
        letters: async (ids, each) => {
          this.readings += 1;
          const wanted = new Set(ids);
          for (const found of this.topic) if (wanted.has(found.aggregateId)) await each([found]);
        },
        write: (rows) => {
          if (rows.some(({ id }) => this.refused.has(id)))
            return Promise.resolve(new RelayError('INVARIANT_BROKEN', 'breaks a check'));
          this.bundles.push([...rows]);
          return Promise.resolve(undefined);
        },
        onStuck: (eid) => this.stuck.push(eid),
        ...(signal ? { signal } : {}),
      },
      this.#tries,
    );
  }

  get written(): string[] {
    return this.bundles.flat().map(({ id }) => id);
  }
}

describe('a relay that has learnt an event type', () => {
  it('writes the letters of each key once, in order, whatever stands between them', async () => {
    const rig = new Rig();
    rig.keys = [parked('k', 3), parked('m', 2, 1)];
    rig.topic = [
      letter('k', 1, { since: 'an earlier parking' }),
      letter('k', 1),
      letter('m', 1),
      letter('k', 2, { eid: 'never came to be' }),
      ...[letter('m', 2), letter('k', 1), letter('k', 2), letter('k', 3), letter('k', 1)],
    ];
    expect(await rig.look()).toBe(2);
    expect(rig.written).toEqual(['k 1', 'm 2', 'k 2', 'k 3']);
    expect(await rig.look()).toBe(0);
    expect(rig.written).toHaveLength(4);
  });

  it('does not write them again because more come behind one that waits on, and goes on when that one is published', async () => {
    const rig = new Rig();
    rig.topic = [letter('k', 1), letter('k', 2)];
    for (let count = 2; count < 8; count += 1) {
      rig.keys = [parked('k', count)];
      await rig.look();
      rig.topic.push(letter('k', count + 1));
    }
    expect(rig.written).toEqual(['k 1', 'k 2']);
    rig.keys = [parked('k', 8, 2)];
    await rig.look();
    expect(rig.written.slice(2)).toEqual(['k 3', 'k 4', 'k 5', 'k 6', 'k 7', 'k 8']);
  });

  it('looks again for a letter that was not in the topic yet, ever more seldom', async () => {
    const rig = new Rig();
    rig.keys = [parked('k', 1)];
    for (let look = 0; look < 200; look += 1) await rig.look();
    expect(rig.readings / 2).toBeLessThan(12);
    rig.topic = [letter('k', 1)];
    for (let look = 0; look < 64; look += 1) await rig.look();
    expect(rig.written).toEqual(['k 1']);
  });

  it('holds up no other key by one whose letter the database does not take, and names that one once', async () => {
    const rig = new Rig();
    rig.keys = [parked('bad', 3), parked('good', 2)];
    rig.topic = [
      ...[letter('bad', 1), letter('good', 1), letter('bad', 2), letter('good', 2)],
      letter('bad', 3),
    ];
    rig.refused.add('bad 2');
    for (let look = 0; look < 3; look += 1) await rig.look();
    expect(rig.written).toEqual(['bad 1', 'good 1', 'good 2']);
    expect(rig.stuck).toEqual(['bad 2']);
  });

  it('writes nothing behind a letter without its value, or that is no event', async () => {
    const rig = new Rig();
    rig.keys = [parked('k', 2), parked('m', 2)];
    rig.topic = [
      ...[letter('k', 1, { payload: null }), letter('k', 2), letter('m', 1)],
      letter('m', 2, { code: 'EVENT_MALFORMED' }),
    ];
    await rig.look();
    expect(rig.written).toEqual(['m 1']);
  });

  it('writes 200 rows or a mebibyte at once at the most, and stops when it is told to', async () => {
    const rig = new Rig();
    rig.keys = [parked('many', 450), parked('large', 5)];
    const payload = Buffer.from(JSON.stringify({ text: 'x'.repeat(400_000) }));
    rig.topic = [
      ...Array.from({ length: 450 }, (_, index) => letter('many', index + 1)),
      ...Array.from({ length: 5 }, (_, index) => letter('large', index + 1, { payload })),
    ];
    await rig.look();
    for (const rows of rig.bundles) {
      expect(rows.length).toBeLessThanOrEqual(200);
      const bytes = rows.reduce((sum, row) => sum + row.payload.length, 0);
      expect(bytes).toBeLessThanOrEqual(1_048_576);
    }
    expect(rig.written).toHaveLength(455);

    const stopped = new Rig();
    stopped.keys = rig.keys;
    stopped.topic = rig.topic;
    await expect(stopped.look(AbortSignal.abort())).rejects.toThrow(/abort/);
    expect(stopped.written).toEqual([]);
  });
});
