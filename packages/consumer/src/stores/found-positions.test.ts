import { describe, expect, it } from 'vitest';
import { requireAsWritten, type FoundPosition } from './found-positions.ts';

/** `{ 0: 5 }` as positions. */
const at = (
  offsets: Readonly<Record<number, number>>,
  { mark = 'm', when = 'now' }: { mark?: string; when?: FoundPosition['when'] } = {},
) =>
  new Map(
    Object.entries(offsets).map(([partition, offset]) => [
      Number(partition),
      { partition: Number(partition), nextOffset: BigInt(offset), mark: `${mark}${offset}`, when },
    ]),
  );

describe('positions that are found', () => {
  it.each([[{}], [{ 0: 5, 7: 1 }]])('are those that were written: %j', (same) => {
    expect(() => requireAsWritten('t', at(same), at(same))).not.toThrow();
  });

  it.each([
    ['one is behind', { 0: 5, 1: 9 }, { 0: 4, 1: 9 }, '(0: 4, we wrote 5)'],
    ['all are behind', { 0: 5, 1: 9 }, { 0: 4, 1: 1 }, '(0: 4, we wrote 5; 1: 1, we wrote 9)'],
    ['one is gone', { 0: 5, 1: 9 }, { 0: 5 }, '(1: none, we wrote 9)'],
    ['all are gone', { 0: 5 }, {}, '(0: none, we wrote 5)'],
    ['many are gone', { 0: 1, 1: 1, 2: 1, 3: 1 }, {}, '2: none, we wrote 1; …)'],
  ])('say that the store has lost its last steps where %s', (_, written, found, message) => {
    expect(() => requireAsWritten('t', at(written), at(found))).toThrow(
      expect.objectContaining({
        code: 'STORE_WENT_BACK',
        message: expect.stringContaining(message) as string,
      }),
    );
  });

  it.each([
    ['one is ahead', { 0: 5 }, { 0: 6 }, 'partition 0 is no longer ours (5, now 6)'],
    ['one is new', { 0: 5 }, { 0: 5, 1: 1 }, 'partition 1 is no longer ours (none, now 1)'],
    ['one is ahead and one behind', { 0: 5, 1: 5 }, { 0: 4, 1: 6 }, 'partition 1 is no'],
  ])('say that there is another writer where %s', (_, written, found, message) => {
    expect(() => requireAsWritten('t', at(written), at(found))).toThrow(
      expect.objectContaining({
        code: 'STORE_UNUSABLE',
        message: expect.stringContaining(message) as string,
      }),
    );
  });

  it('are of another writer where the offset is ours and the record is not', () => {
    expect(() => requireAsWritten('t', at({ 0: 5 }), at({ 0: 5 }, { mark: 'other' }))).toThrow(
      'somebody else writes to t',
    );
  });

  it.each([
    ['ahead', { 0: 5 }, { 0: 900, 1: 900 }],
    ['where ours are', { 0: 5 }, { 0: 5 }],
    ['all there is', {}, { 0: 900 }],
  ])(
    'say that the store has lost its clearing too where those of before it are %s',
    (_, written, found) => {
      expect(() => requireAsWritten('t', at(written), at(found, { when: 'before' }))).toThrow(
        expect.objectContaining({ code: 'STORE_WENT_BACK' }),
      );
    },
  );

  it.each([
    ['behind', { 0: 5 }, { 0: 4 }],
    ['where ours are', { 0: 5 }, { 0: 5 }],
    ['all there is', {}, { 0: 4 }],
  ])(
    'say that somebody else cleared the store where those of an epoch of his are %s',
    (_, written, found) => {
      expect(() => requireAsWritten('t', at(written), at(found, { when: 'never' }))).toThrow(
        expect.objectContaining({ code: 'STORE_UNUSABLE' }),
      );
    },
  );
});
