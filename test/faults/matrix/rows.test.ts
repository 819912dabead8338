import { describe, expect, it } from 'vitest';
import { faultRows } from './rows.ts';

describe('the fault matrix', () => {
  it('has each of its 45 rows once', async () => {
    const rows = await faultRows();
    const numbers = rows.map(({ number }) => number);
    expect(numbers).toEqual(Array.from({ length: 45 }, (_, index) => index + 1));
    for (const { fault, expected, seeds } of rows) {
      expect(fault).not.toBe('');
      expect(expected).not.toBe('');
      expect(seeds).toBeGreaterThan(0);
    }
  });
});
