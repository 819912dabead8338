import { describe, expect, it } from 'vitest';
import { Chance } from '../../simulation/chance.ts';
import { nextFaults, soakFaults } from './soak-faults.ts';

describe('the faults of a soak', () => {
  const schedule = (seed: string) => {
    const chance = new Chance(seed);
    return Array.from({ length: 300 }, () => nextFaults(chance));
  };
  const names = (seed: string) => schedule(seed).map((each) => each.map(({ name }) => name));

  it('are the same for the same seed, and others for another', () => {
    expect(names('1')).toEqual(names('1'));
    expect(names('1')).not.toEqual(names('2'));
  });

  it('come one by one or two at once, never two on one target, and all of them come', () => {
    const faults = schedule('3');
    for (const each of faults)
      expect(new Set(each.map(({ target }) => target)).size).toBe(each.length);
    expect(new Set(faults.map(({ length }) => length))).toEqual(new Set([1, 2]));
    expect(new Set(faults.flat()).size).toBe(soakFaults.length);
  });
});
