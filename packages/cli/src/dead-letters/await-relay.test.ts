import type { ParkedState } from '@outbound/contract';
import type { Clock } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { awaitRelay, type WrittenKey } from './await-relay.ts';
import type { JournalledKey } from './waiting-keys.ts';

const state = (over: Partial<ParkedState> = {}): ParkedState => ({
  ...{ since: '0/1', count: 3, done: 0, code: 'EVENT_TYPE_UNKNOWN', type: 'x.y' },
  ...{ firstEid: '', lastEid: '', at: '', ...over },
});
const name = '["x","a"]';
const written = (upTo: number): WrittenKey => ({
  key: { aggregateType: 'x', aggregateId: 'a', letters: [], place: '0/5', state: state() },
  upTo,
});
const standing = (over: Partial<ParkedState>, place = '0/9', isKept = false): JournalledKey => ({
  ...{ state: state(over), place, isKept },
});

/** Waits for a relay that leaves the key so, look by look; gives for how long, and whether it is still parked. */
async function wait(
  keys: readonly WrittenKey[],
  ...looks: readonly (JournalledKey | undefined)[]
): Promise<{ readonly seconds: number; readonly isParked: boolean }> {
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  let look = 0;
  const still = await awaitRelay(
    () => {
      const found = looks[Math.min(look, looks.length - 1)];
      look += 1;
      return Promise.resolve(new Map(found ? [[name, found]] : []));
    },
    keys,
    { signal: new AbortController().signal, clock },
  );
  return { seconds: nowMs / 1000, isParked: still.has(name) };
}

describe('whoever has written letters again waits', () => {
  it('for nothing where none was written, since the database has refused them', async () => {
    expect(await wait([], standing({}))).toEqual({ seconds: 0, isParked: true });
  });

  it('until the key is free', async () => {
    const seen = await wait([written(3)], standing({}, '0/5'), standing({ done: 1 }), undefined);
    expect(seen).toEqual({ seconds: 1, isParked: false });
  });

  it('until what was written was dealt with, also where a letter behind it was refused, or more came meanwhile', async () => {
    const behind = await wait([written(2)], standing({}, '0/5'), standing({ done: 2 }));
    expect(behind).toEqual({ seconds: 0.5, isParked: true });
    const more = await wait([written(3)], standing({}, '0/5'), standing({ count: 4, done: 3 }));
    expect(more).toEqual({ seconds: 0.5, isParked: true });
    const anew = await wait([written(3)], standing({}, '0/5'), standing({ since: '0/7' }));
    expect(anew).toEqual({ seconds: 0.5, isParked: true });
  });

  it('no longer than until the relay says that it still cannot publish the next one', async () => {
    const kept = await wait([written(3)], standing({}, '0/5', true), standing({}, '0/9', true));
    expect(kept).toEqual({ seconds: 0.5, isParked: true });
  });

  it('for twenty seconds where nothing happens at all, as without a relay', async () => {
    const seen = await wait([written(3)], standing({}, '0/5', true));
    expect(seen.isParked).toBe(true);
    expect(seen.seconds).toBeGreaterThan(19);
    expect(seen.seconds).toBeLessThan(22);
  });

  it('no longer than until it is asked to stop: what was not read is not told as free', async () => {
    const stop = new AbortController();
    let nowMs = 0;
    const clock: Clock = {
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
        stop.abort(new Error('asked to stop'));
        return Promise.resolve();
      },
    };
    const waiting = awaitRelay(
      () => Promise.resolve(new Map([[name, standing({}, '0/5')]])),
      [written(3)],
      { signal: stop.signal, clock },
    );
    await expect(waiting).rejects.toThrow('asked to stop');
  });
});
