import { describe, expect, it } from 'vitest';
import { FetchPositions } from './fetch-positions.ts';

const at = (offset: bigint) => {
  const positions = new FetchPositions();
  positions.start(0, offset);
  return positions;
};

describe('FetchPositions', () => {
  it('takes fetches that follow each other from the start position', () => {
    const positions = at(5n);
    expect(positions.judge(0, 5n, 9n)).toBe('take');
    expect(positions.judge(0, 9n, 12n)).toBe('take');
  });

  it('refuses what comes before the start position is known, and after the partition was given up', () => {
    const positions = new FetchPositions();
    expect(positions.judge(0, 0n, 9n)).toBe('refuse');
    positions.start(0, 0n);
    positions.clear();
    expect(positions.judge(0, 0n, 9n)).toBe('refuse');
  });

  it.each([
    ['further on, as one that was on its way when the group joined', 700n],
    ['further back, as one that was asked for twice', 2n],
  ])('fetches again instead of taking what begins %s', (_, from) => {
    const positions = at(5n);
    expect(positions.judge(0, from, 900n)).toEqual({ seek: 5n });
    expect(positions.judge(0, 5n, 9n)).toBe('take');
  });

  it('goes on behind markers that were passed over twice from the same position', () => {
    const positions = at(5n);
    expect(positions.judge(0, 5n, 9n)).toBe('take');
    positions.passOver(0, 10n);
    expect(positions.judge(0, 10n, 12n)).toEqual({ seek: 9n });
    positions.passOver(0, 10n);
    expect(positions.judge(0, 10n, 12n)).toBe('take');
  });

  it('does not go on behind markers that were not passed over from the position', () => {
    const positions = at(5n);
    expect(positions.judge(0, 700n, 900n)).toEqual({ seek: 5n });
    positions.passOver(0, 6n);
    expect(positions.judge(0, 700n, 900n)).toEqual({ seek: 5n });
  });

  it('goes on anywhere when the broker no longer has what comes next', () => {
    const positions = at(5n);
    positions.startAnywhere(0);
    expect(positions.judge(0, 70n, 90n)).toBe('take');
    expect(positions.judge(0, 5n, 9n)).toEqual({ seek: 90n });
  });
});
