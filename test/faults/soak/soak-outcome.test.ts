import { describe, expect, it } from 'vitest';
import type { SoakResult } from './soak.ts';
import { soakOutcome } from './soak-outcome.ts';

const clean: SoakResult = {
  seed: 11,
  minutes: 60,
  events: 319_003,
  records: 638_010,
  faults: { 'relay killed': 200, 'link slow': 171 },
  lost: 0,
  doubled: 4,
  stale: 0,
  reordered: 0,
  repeated: 12,
  peakMiB: 120,
  walMiB: 90,
  slowestHealSeconds: 14,
  broken: [],
};

describe('a soak as a round of the matrix', () => {
  it('holds every promise that it judges where nothing was broken', () => {
    const { bit, judged } = soakOutcome(clean);
    expect(bit).toBe('371 faults of 2 kinds in 60 minutes');
    expect(judged.map(({ promise }) => promise)).toEqual(
      ['I1', 'I2', 'I3', 'I4', 'I5', 'I7', 'I8', 'I9'], // I6, I10 and I11 have rows of their own
    );
    expect(judged.every(({ holds }) => holds)).toBe(true);
    expect(judged[0]?.found).toBe('319,003 events, 0 lost');
  });

  it('shows a broken promise in the words of the soak, one that it does not judge too', () => {
    const { judged } = soakOutcome({
      ...clean,
      broken: ['I1: event 9 is nowhere', 'I1: event 10 is nowhere', 'I6: acknowledged early\nmore'],
    });
    expect(judged.filter(({ holds }) => !holds)).toEqual([
      { promise: 'I1', holds: false, found: 'I1: event 9 is nowhere' },
      { promise: 'I6', holds: false, found: 'I6: acknowledged early' },
    ]);
  });

  it('is no round where there was no fault', () => {
    expect(() => soakOutcome({ ...clean, faults: {} })).toThrow('too short for a fault');
  });
});
