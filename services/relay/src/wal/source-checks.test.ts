import { describe, expect, it } from 'vitest';
import { lsnFromText } from './lsn.ts';
import { outboxColumns } from './outbox-table.ts';
import { judgeSource } from './source-checks.ts';
import type { SourceFacts } from './source-facts.ts';

const names = {
  slot: 'outbound',
  publication: 'outbound',
  outbox: { schema: 'public', name: 'outbox' },
};
const columns = outboxColumns.map((name) => ({
  name,
  typeOid: name === 'payload' ? 114 : name === 'created_at' ? 1184 : 25,
}));
const server = {
  versionNumber: 180_004,
  isStandby: false,
  walLevel: 'logical',
  maxWalSenders: 10,
  role: 'relay',
  mayReplicate: true,
  database: 'catalog',
  systemIdentifier: '7',
};
const slot = {
  kind: 'logical',
  plugin: 'pgoutput',
  database: 'catalog',
  isTemporary: false,
  isTwoPhase: false,
  activePid: null,
  activeAddress: null,
  walStatus: 'reserved',
  invalidationReason: null,
  confirmedFlushLsn: lsnFromText('0/50'),
  flushedLsn: lsnFromText('0/50'),
};
const publication = {
  publishesInsert: true,
  viaRoot: true,
  outbox: { columns: [...outboxColumns], hasRowFilter: false },
};
const sound: SourceFacts = {
  server,
  outbox: { kind: 'p', isUnlogged: false, columns },
  publication,
  slot,
  recordedOn: '7',
};

describe('the start-up judgement', () => {
  it('uses a slot that is recorded, records one that is not, and makes one that never was', () => {
    expect(judgeSource(sound, names)).toBe('use');
    expect(judgeSource({ ...sound, recordedOn: null }, names)).toBe('record');
    expect(judgeSource({ ...sound, slot: undefined, recordedOn: null }, names)).toBe('create');
  });

  it('does not ask for publication through the root of a table without partitions', () => {
    const plain = { ...sound, outbox: { kind: 'r', isUnlogged: false, columns } };
    expect(judgeSource({ ...plain, publication: { ...publication, viaRoot: false } }, names)).toBe(
      'use',
    );
  });

  it.each<[string, Partial<SourceFacts>, string, string]>([
    [
      'version 14',
      { server: { ...server, versionNumber: 140_012 } },
      'SOURCE_UNSUPPORTED',
      'version 14',
    ],
    ['a standby', { server: { ...server, isStandby: true } }, 'SOURCE_IN_RECOVERY', 'standby'],
    [
      'wal_level replica',
      { server: { ...server, walLevel: 'replica' } },
      'SOURCE_WAL_LEVEL',
      'replica',
    ],
    [
      'no wal senders',
      { server: { ...server, maxWalSenders: 0 } },
      'SOURCE_WAL_LEVEL',
      'max_wal_senders',
    ],
    [
      'a role that may not',
      { server: { ...server, mayReplicate: false } },
      'SOURCE_AUTH_FAILED',
      '"relay"',
    ],
    ['no outbox', { outbox: undefined }, 'SOURCE_OUTBOX_MISSING', 'does not exist'],
    [
      'a view',
      { outbox: { kind: 'v', isUnlogged: false, columns } },
      'SOURCE_OUTBOX_MISSING',
      'relkind v',
    ],
    [
      'an unlogged outbox',
      { outbox: { kind: 'r', isUnlogged: true, columns } },
      'SOURCE_OUTBOX_MISSING',
      'unlogged',
    ],
    [
      'missing columns',
      { outbox: { kind: 'r', isUnlogged: false, columns: columns.slice(2) } },
      'SOURCE_OUTBOX_MISSING',
      'id, aggregatetype',
    ],
    ['no publication', { publication: undefined }, 'SOURCE_PUBLICATION_MISSING', '"outbound"'],
    [
      'no inserts',
      { publication: { ...publication, publishesInsert: false } },
      'SOURCE_PUBLICATION_WRONG',
      'inserts',
    ],
    [
      'partitions by their names',
      { publication: { ...publication, viaRoot: false } },
      'SOURCE_PUBLICATION_WRONG',
      'publish_via_partition_root',
    ],
    [
      'another table',
      { publication: { ...publication, outbox: undefined } },
      'SOURCE_PUBLICATION_WRONG',
      'does not publish',
    ],
    [
      'a row filter',
      {
        publication: {
          ...publication,
          outbox: { columns: [...outboxColumns], hasRowFilter: true },
        },
      },
      'SOURCE_PUBLICATION_WRONG',
      'row filter',
    ],
    [
      'a column list',
      { publication: { ...publication, outbox: { columns: ['id'], hasRowFilter: false } } },
      'SOURCE_PUBLICATION_WRONG',
      'payload',
    ],
    ['no table of slots', { recordedOn: undefined }, 'SOURCE_OUTBOX_MISSING', 'relay_slot'],
    [
      'a slot that was dropped or does not exist in a copy',
      { slot: undefined },
      'SOURCE_SLOT_MISSING',
      'it was dropped, or this server is a copy',
    ],
    [
      'a slot of another server',
      { slot: undefined, recordedOn: '6' },
      'SOURCE_SLOT_MISSING',
      "restored from a dump, or upgraded. If this database takes the place of the one that the slot was made for, changes may be missing; if it is a copy with topics of its own, delete from relay_slot where slot_name = 'outbound'",
    ],
    [
      'a slot that is ahead of the log',
      { slot: { ...slot, flushedLsn: lsnFromText('0/4F') } },
      'SOURCE_SLOT_INVALIDATED',
      'has confirmed 0/50, and the log ends at 0/4F',
    ],
    [
      'a physical slot',
      { slot: { ...slot, kind: 'physical', plugin: null } },
      'SOURCE_SLOT_MISMATCH',
      'physical',
    ],
    [
      'another plugin',
      { slot: { ...slot, plugin: 'wal2json' } },
      'SOURCE_SLOT_MISMATCH',
      'wal2json',
    ],
    [
      'another database',
      { slot: { ...slot, database: 'other' } },
      'SOURCE_SLOT_MISMATCH',
      '"other"',
    ],
    [
      'a temporary slot',
      { slot: { ...slot, isTemporary: true } },
      'SOURCE_SLOT_MISMATCH',
      'temporary',
    ],
    [
      'a two-phase slot',
      { slot: { ...slot, isTwoPhase: true } },
      'SOURCE_SLOT_MISMATCH',
      'two_phase',
    ],
    ['a lost slot', { slot: { ...slot, walStatus: 'lost' } }, 'SOURCE_SLOT_INVALIDATED', 'lost'],
    [
      'an invalidated slot',
      { slot: { ...slot, invalidationReason: 'idle_timeout' } },
      'SOURCE_SLOT_INVALIDATED',
      'idle_timeout',
    ],
    ['a busy slot', { slot: { ...slot, activePid: 4711 } }, 'SOURCE_SLOT_BUSY', '4711'],
    [
      'a busy slot, with who holds it',
      { slot: { ...slot, activePid: 4711, activeAddress: '10.0.0.7' } },
      'SOURCE_SLOT_BUSY',
      '4711 for 10.0.0.7',
    ],
  ])('refuses %s', (_, change, code, words) => {
    let error: unknown;
    try {
      judgeSource({ ...sound, ...change }, names);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(words);
  });

  it('looks at the publication before it would make a slot', () => {
    const first = { ...sound, slot: undefined, recordedOn: null, publication: undefined };
    expect(() => judgeSource(first, names)).toThrow(/publication/);
  });

  it.each([
    ['wal_removed', 'max_slot_wal_keep_size'],
    [null, 'max_slot_wal_keep_size'],
    ['idle_timeout', 'idle_replication_slot_timeout'],
    ['wal_level_insufficient', 'wal_level'],
    ['rows_removed', 'hot_standby_feedback'],
  ])('names the setting by which a slot was given up: %s is %s', (invalidationReason, setting) => {
    const lost = { ...slot, walStatus: 'lost', invalidationReason };
    expect(() => judgeSource({ ...sound, slot: lost }, names)).toThrow(`: see ${setting}`);
  });
});
