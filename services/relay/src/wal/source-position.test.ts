import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lsnFromText, type Lsn } from './lsn.ts';
import {
  comparePositions,
  sourceFingerprint,
  sourcePositionFromText,
  sourcePositionToText,
} from './source-position.ts';

const position = fc.record({
  commitLsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => value as Lsn),
  index: fc.nat({ max: 2 ** 31 }),
});
const identity = { systemIdentifier: '7', timeline: 1, database: 'd', slot: 's' };

describe('a source position', () => {
  it('survives its text, if it is of this source', () => {
    const fingerprint = sourceFingerprint(identity);
    fc.assert(
      fc.property(position, (value) => {
        const text = sourcePositionToText(value, fingerprint);
        expect(sourcePositionFromText(text, fingerprint)).toEqual(value);
        expect(sourcePositionFromText(text, 'ffffffff')).toBeUndefined();
      }),
    );
  });

  it('is unknown when the text is anything else', () => {
    const fingerprint = sourceFingerprint(identity);
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(sourcePositionFromText(text, fingerprint)).toBeUndefined();
      }),
    );
  });

  it('differs by server, database and slot, and not by timeline: a promoted server has the same log up to its switch', () => {
    const prints = [
      identity,
      { ...identity, systemIdentifier: '8' },
      { ...identity, database: 'e' },
      { ...identity, slot: 't' },
    ].map(sourceFingerprint);
    expect(new Set(prints).size).toBe(4);
    const promoted = { ...identity, timeline: 2 };
    expect(sourceFingerprint(promoted)).toBe(prints[0]);
    for (const print of prints) expect(print).toMatch(/^[0-9a-f]{8}$/);
  });

  it('is ordered by commit, then by place in the transaction', () => {
    const at = (text: string, index: number) => ({ commitLsn: lsnFromText(text), index });
    expect(comparePositions(at('0/1', 9), at('0/2', 0))).toBeLessThan(0);
    expect(comparePositions(at('0/2', 1), at('0/2', 0))).toBeGreaterThan(0);
    expect(comparePositions(at('0/2', 1), at('0/2', 1))).toBe(0);
  });
});
