import { describe, expect, it } from 'vitest';
import { runOptions } from './run-options.ts';

describe('the options of a run', () => {
  it('take rows as numbers and ranges', () => {
    expect([...(runOptions(['--rows', '1,5,9-12']).rows ?? [])]).toEqual([1, 5, 9, 10, 11, 12]);
  });

  it('leave rows, rounds and seed to the machine where nothing is said', () => {
    expect(runOptions([])).toMatchObject({ rows: undefined, seeds: undefined, seed: undefined });
  });

  it.each([
    [['--rows', '0'], '"0"'],
    [['--rows', '46'], '"46"'],
    [['--rows', '12-9'], '"12-9"'],
    [['--rows', '1,,2'], '""'],
    [['--seeds', '0'], '--seeds 0'],
    [['--seed', '-1'], 'seed'],
    [['--seed', '1e3'], '--seed 1e3'],
    [['--colour'], 'colour'],
    [['5'], '5'],
  ])('refuse %j and name what is wrong', (args, says) => {
    expect(() => runOptions(args)).toThrow(says);
  });
});
