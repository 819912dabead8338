import { describe, expect, it } from 'vitest';
import { parseBenchOptions, parts } from './options.ts';

describe('the options of a benchmark', () => {
  it('measure everything by default, with the sizes of the floors', () => {
    expect(parseBenchOptions([])).toMatchObject({
      only: new Set(parts),
      drainEvents: 200_000,
      latencyRatePerSecond: 500,
      hugeTransactionRows: 1_000_000,
      payloadBytes: 200,
    });
  });

  it('pick parts and sizes', () => {
    const options = parseBenchOptions(['--only', 'drain', '--only', 'idle', '--runs', '5']);
    expect([...options.only]).toEqual(['drain', 'idle']);
    expect(options.runs).toBe(5);
  });

  it('say what is wrong with a value and what would be right', () => {
    expect(() => parseBenchOptions(['--only', 'speed'])).toThrow('--only speed is not one of');
    expect(() => parseBenchOptions(['--drain', '12x'])).toThrow(
      '--drain 12x is not a whole number',
    );
    expect(() => parseBenchOptions(['--payload-bytes', '10'])).toThrow('at least 200');
  });
});
