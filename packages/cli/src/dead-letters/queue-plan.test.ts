import { describe, expect, it } from 'vitest';
import type { WaitingLetter } from './letter-queues.ts';
import { discardOf, redriveOf } from './queue-plan.ts';

const queue = { group: 'g', topic: 't', key: 'a' };
const letter = (eid: string, partition: number, offset: bigint): WaitingLetter => ({
  ...{ ...queue, eid, type: 'x', reason: 'failed', code: 'C', message: 'm', attempts: 1, at: '' },
  ...{ place: { partition, offset }, partition: 4, offset, bytes: 1, payload: undefined },
});
const waiting = {
  ...queue,
  letters: [letter('e1', 0, 5n), letter('e2', 0, 9n), letter('e3', 1, 2n)],
};
const asked = { id: 'i', at: new Date(0) };

describe('what is asked for the letters of a consumer', () => {
  it('a redrive is of all letters of a key, from the first one on', () => {
    const { request, letters, sentence } = redriveOf(waiting, asked);
    expect(request).toMatchObject({
      ...{ ...queue, verb: 'redrive', partition: 4 },
      ...{ from: { '0': 5n, '1': 2n }, through: { '0': 9n, '1': 2n } },
    });
    expect(letters).toBe(3);
    expect(sentence).toBe('g t a: 3 letters go to its handler again, then its key is free');
  });

  it('a discard of one event gives up what stands before it, too, and nothing behind it', () => {
    const { request, letters, sentence } = discardOf(waiting, { ...asked, eid: 'e2' });
    expect(request).toMatchObject({ verb: 'discard', through: { '0': 9n } });
    expect(request.through).not.toHaveProperty('1');
    expect(letters).toBe(2);
    expect(sentence).toBe('g t a: 2 of 3 letters are given up, the other 1 wait on: redrive them');
  });

  it('a discard of a key gives up all that was seen', () => {
    const { sentence } = discardOf(waiting, { ...asked, eid: undefined });
    expect(sentence).toBe('g t a: 3 of 3 letters are given up, then its key is free');
  });
});
