import { describe, expect, it } from 'vitest';
import { soakOptions } from './soak-options.ts';

describe('the options of a soak', () => {
  it('are an hour and a seed of the clock where nothing is said', () => {
    expect(soakOptions([])).toMatchObject({ minutes: 60, seed: undefined, isHelp: false });
    expect(soakOptions(['--minutes', '2', '--seed', '7'])).toMatchObject({ minutes: 2, seed: 7 });
  });

  it.each([
    [['--minutes', '0'], '--minutes 0'],
    [['--minutes', 'ten'], '--minutes ten'],
    [['--seed', '1.5'], '--seed 1.5'],
    [['--hours', '1'], 'hours'],
  ])('refuse %j and name what is wrong', (args, says) => {
    expect(() => soakOptions(args)).toThrow(says);
  });
});
