import { describe, expect, test } from 'vitest';
import { judgeLostSlot, type SlotFacts } from './slot-verdict.ts';

const sound = {
  kind: 'logical',
  plugin: 'pgoutput',
  database: 'catalog',
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
  database: 'catalog',
  limitBytes: undefined,
  versionNumber: 180_000,
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
    const verdict = judgeLostSlot({ ...facts, ...over }, { force });
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
    ...[
      { kind: 'physical', plugin: null, database: null },
      { plugin: 'test_decoding' },
      { database: 'another' },
    ].map(
      (other) =>
        [
          `lost, but ${JSON.stringify(other)}`,
          { existing: { ...sound, walStatus: 'lost', ...other } },
          'SLOT_MISMATCH',
          2,
        ] as const,
    ),
    ['never recorded', { isRecorded: false }, 'SLOT_UNKNOWN', 2],
    ['a role that may not', { mayReplicate: false }, 'ROLE_MAY_NOT_REPLICATE', 2],
    ['a server that cannot', { walLevel: 'replica' }, 'WAL_LEVEL', 2],
  ] as const)('%s', (_, over, code, exitCode) => {
    expect(() => judgeLostSlot({ ...facts, ...over }, {})).toThrow(
      expect.objectContaining({ code, exitCode }),
    );
  });
});

// What the server would take away is no slot of ours, so nothing may force it.
test('a slot of another kind or database is not even replaced by force', () => {
  const existing = { ...sound, kind: 'physical', plugin: null, database: null };
  expect(() => judgeLostSlot({ ...facts, existing }, { force: true })).toThrow(
    'is physical, so it is none of a relay of this database ("catalog")',
  );
});

describe('a slot that follows failovers', () => {
  // No slot can be copied with the flag, so a recovery that is cut off behind its last step but one leaves a sound slot without it.
  test('is wanted of a sound one that does not: only that is to be done', () => {
    expect(judgeLostSlot({ ...facts, existing: sound }, { failover: true })).toEqual({
      why: 'is sound, and does not follow a failover',
      mustDrop: false,
      isFailover: true,
      isOnlyFailover: true,
    });
    expect(() => judgeLostSlot({ ...facts, existing: sound }, {})).toThrow('say --failover');
  });

  test('is sound if it does already', () => {
    const existing = { ...sound, isFailover: true };
    expect(() => judgeLostSlot({ ...facts, existing }, { failover: true })).toThrow(
      expect.objectContaining({ code: 'SLOT_HEALTHY' }),
    );
  });

  test.each([undefined, sound, { ...sound, walStatus: 'lost' }])(
    'is refused before anything is done where the server knows none: %o',
    (existing) => {
      const old = { ...facts, versionNumber: 160_004, existing };
      expect(() => judgeLostSlot(old, { failover: true, force: true })).toThrow(
        expect.objectContaining({ code: 'FAILOVER_UNKNOWN', exitCode: 2 }),
      );
    },
  );

  test.each([
    [{ failover: true }, false, true],
    [{}, true, true],
    [{}, false, false],
  ])('is made in place of a lost one by %o, or if that one was (%s)', (options, was, is) => {
    const existing = { ...sound, walStatus: 'lost', isFailover: was };
    expect(judgeLostSlot({ ...facts, existing }, options)).toMatchObject({
      isFailover: is,
      isOnlyFailover: false,
    });
  });
});
