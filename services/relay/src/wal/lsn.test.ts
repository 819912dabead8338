import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lsnFromBytes, lsnFromText, lsnToText, maxLsn, noLsn, type Lsn } from './lsn.ts';

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value as Lsn);

describe('a log position', () => {
  it('survives its text and its bytes', () => {
    fc.assert(
      fc.property(lsn, (value) => {
        expect(lsnFromText(lsnToText(value))).toBe(value);
        const bytes = Buffer.alloc(10);
        bytes.writeBigUInt64BE(value, 2);
        expect(lsnFromBytes(bytes, 2)).toBe(value);
      }),
    );
  });

  // Trap 2.14: two text shapes of one position, which compare wrongly as text.
  it('is one value whether its text is padded or not, in either case', () => {
    expect(lsnFromText('0/152B828')).toBe(lsnFromText('00000000/0152b828'));
    expect(lsnFromText('9/0') < lsnFromText('10/0')).toBe(true);
  });

  it('prints as Postgres does', () => {
    expect(lsnToText(lsnFromText('00000016/0B374D84'))).toBe('16/B374D84');
    expect(lsnToText(noLsn)).toBe('0/0');
  });

  it.each(['', '0', '0/', '/0', '0/G', '0/123456789', '0x1/0', '0/0 ', '-1/0'])(
    'refuses "%s"',
    (text) => {
      expect(() => lsnFromText(text)).toThrow(RangeError);
    },
  );

  it('has a greater of two', () => {
    fc.assert(
      fc.property(lsn, lsn, (a, b) => {
        expect(maxLsn(a, b)).toBe(a < b ? b : a);
      }),
    );
  });
});
