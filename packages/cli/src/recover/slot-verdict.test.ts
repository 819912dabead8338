import { describe, expect, test } from 'vitest';
import { judgeLostSlot, type SlotFacts } from './slot-verdict.ts';

const sound = {
  activePid: null,
  walStatus: 'reserved',
  invalidationReason: null,
  isFailover: false,
  isAhead: false,
};
const facts: SlotFacts = {
  slot: 'outbound',
  walLevel: 'logical',
  role: 'outbound_operator',
  mayReplicate: true,
  isRecorded: true,
  existing: undefined,
};

describe('a slot is recovered', () => {
  test.each([
    ['dropped', {}, false, 'was dropped', false],
    ['lost', { existing: { ...sound, walStatus: 'lost' } }, false, 'was given up', true],
    [
      'invalidated',
      { existing: { ...sound, walStatus: 'unreserved', invalidationReason: 'idle_timeout' } },
      false,
      'was given up by Postgres (idle_timeout)',
      true,
    ],
    [
      'of another moment than the log',
      { existing: { ...sound, isAhead: true } },
      false,
      'has confirmed more than the log has',
      true,
    ],
    ['sound, by force', { existing: sound }, true, 'because --force says so', true],
    ['never recorded, by force', { isRecorded: false }, true, 'was never made', false],
  ])('%s', (_, over, force, why, mustDrop) => {
    const verdict = judgeLostSlot({ ...facts, ...over }, force);
    expect(verdict.why).toContain(why);
    expect(verdict.mustDrop).toBe(mustDrop);
  });
});

describe('nothing is recovered', () => {
  test.each([
    ['in use', { existing: { ...sound, activePid: 7 } }, 'SLOT_ACTIVE', 6],
    [
      'lost but in use',
      { existing: { ...sound, walStatus: 'lost', activePid: 7 } },
      'SLOT_ACTIVE',
      6,
    ],
    ['sound', { existing: sound }, 'SLOT_HEALTHY', 2],
    ['never recorded', { isRecorded: false }, 'SLOT_UNKNOWN', 2],
    ['a role that may not', { mayReplicate: false }, 'ROLE_MAY_NOT_REPLICATE', 2],
    ['a server that cannot', { walLevel: 'replica' }, 'WAL_LEVEL', 2],
  ])('%s', (_, over, code, exitCode) => {
    expect(() => judgeLostSlot({ ...facts, ...over }, false)).toThrow(
      expect.objectContaining({ code, exitCode }),
    );
  });
});
