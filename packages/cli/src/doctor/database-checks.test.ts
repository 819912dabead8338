import { describe, expect, test } from 'vitest';
import { judgeClock, judgeDatabase, judgeOutbox } from './database-checks.ts';
import type { DatabaseFacts } from './database-facts.ts';

const names = { slot: 'outbound', publication: 'outbound' };
const slot = {
  slot_type: 'logical',
  plugin: 'pgoutput',
  database: 'catalog',
  active: true,
  wal_status: 'reserved',
  is_ahead: false,
};
const role = (name: string) => ({ name, can_login: true, can_replicate: true });
const publication = { inserts: true, via_root: true, covers_outbox: true, has_filter: false };
const good: DatabaseFacts = {
  version_number: 180_004,
  version: '18.4',
  is_standby: false,
  wal_level: 'logical',
  max_replication_slots: 10,
  used_replication_slots: 1,
  max_wal_senders: 10,
  used_wal_senders: 1,
  max_slot_wal_keep_size: '10GB',
  role: 'outbound_operator',
  sees_others: true,
  server_ms: 0,
  roles: ['outbound_api', 'outbound_relay', 'outbound_operator'].map(role),
  publication,
  slot,
  database: 'catalog',
  has_outbox: true,
  is_slot_recorded: true,
  missing_grants: [],
};

describe('the database', () => {
  test('as it should be has no fault, and nothing to do', () => {
    const findings = judgeDatabase(good, names);
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      'postgres',
      'wal_level',
      'max_replication_slots',
      'max_wal_senders',
      'roles',
      'publication outbound',
      'slot outbound',
      'max_slot_wal_keep_size',
    ]);
  });

  test.each<[string, Partial<DatabaseFacts>, string, string, RegExp]>([
    [
      'an old server',
      { version_number: 140_010, version: '14.10' },
      'postgres',
      'fault',
      /15 or later/,
    ],
    ['a standby', { is_standby: true }, 'postgres', 'fault', /primary/],
    ['another wal_level', { wal_level: 'replica' }, 'wal_level', 'fault', /wal_level = logical/],
    [
      'no free slot',
      { slot: null, is_slot_recorded: false, used_replication_slots: 10 },
      'max_replication_slots',
      'fault',
      /pg_drop_replication_slot/,
    ],
    [
      'no free sender',
      { slot: { ...slot, active: false }, used_wal_senders: 10 },
      'max_wal_senders',
      'fault',
      /max_wal_senders/,
    ],
    ['a missing role', { roles: [role('outbound_api')] }, 'roles', 'fault', /run migrate/],
    [
      'a role without login',
      { roles: good.roles.map((each) => ({ ...each, can_login: false })) },
      'roles',
      'warning',
      /passwords/,
    ],
    [
      'a relay that may not replicate',
      { roles: good.roles.map((each) => ({ ...each, can_replicate: false })) },
      'roles',
      'warning',
      /alter role outbound_relay replication/,
    ],
    [
      'a missing grant',
      { missing_grants: ['outbound_api: insert on outbox'] },
      'grants',
      'fault',
      /migrate/,
    ],
    ['no outbox', { has_outbox: false }, 'publication outbound', 'fault', /migrate/],
    ['no publication', { publication: null }, 'publication outbound', 'fault', /migrate/],
    [
      'a publication of something else',
      { publication: { ...publication, covers_outbox: false } },
      'publication outbound',
      'fault',
      /add table outbox/,
    ],
    [
      'a publication without inserts',
      { publication: { ...publication, inserts: false } },
      'publication outbound',
      'fault',
      /publish = 'insert'/,
    ],
    [
      'a publication of partitions',
      { publication: { ...publication, via_root: false } },
      'publication outbound',
      'fault',
      /via_partition_root/,
    ],
    [
      'a publication with a filter',
      { publication: { ...publication, has_filter: true } },
      'publication outbound',
      'fault',
      /set table outbox/,
    ],
    [
      'a slot not made yet',
      { slot: null, is_slot_recorded: false },
      'slot outbound',
      'warning',
      /start the relay/,
    ],
    ['a slot that is gone', { slot: null }, 'slot outbound', 'fault', /outbound recover/],
    [
      'a slot that cannot be known',
      { slot: null, is_slot_recorded: null },
      'slot outbound',
      'unknown',
      /migrate/,
    ],
    [
      'a slot of another plugin',
      { slot: { ...slot, plugin: 'wal2json' } },
      'slot outbound',
      'fault',
      /drop it/,
    ],
    [
      'a slot of another database',
      { slot: { ...slot, database: 'other' } },
      'slot outbound',
      'fault',
      /OUTBOUND_DATABASE_URL/,
    ],
    [
      'a lost slot',
      { slot: { ...slot, wal_status: 'lost' } },
      'slot outbound',
      'fault',
      /outbound recover/,
    ],
    [
      'a slot that is ahead of the log',
      { slot: { ...slot, active: false, is_ahead: true } },
      'slot outbound',
      'fault',
      /outbound recover/,
    ],
    [
      'a slot that nobody reads',
      { slot: { ...slot, active: false } },
      'slot outbound',
      'warning',
      /start the relay/,
    ],
    [
      'no limit of the kept log',
      { max_slot_wal_keep_size: '-1' },
      'max_slot_wal_keep_size',
      'warning',
      /half of the free disk/,
    ],
  ])('%s is found, with its cure', (_, change, check, level, fix) => {
    const found = judgeDatabase({ ...good, ...change }, names).filter(
      (finding) => finding.level !== 'ok',
    );
    expect(found.map((finding) => [finding.check, finding.level])).toContainEqual([check, level]);
    expect(found.find((finding) => finding.check === check)?.fix).toMatch(fix);
  });

  const now = new Date('2026-01-05T12:00:00Z');
  test.each([
    [{}, 'ok', /7 days ahead/],
    [{ days_ahead: 1 }, 'warning', /only 1 days/],
    [{ days_ahead: null }, 'fault', /none/],
    [{ default_has_rows: true }, 'warning', /has rows/],
    [
      { default_has_rows: true, refuses_from: new Date('2026-01-08T00:00:00Z') },
      'warning',
      /has rows/,
    ],
    [
      { default_has_rows: true, refuses_from: new Date('2026-01-06T00:00:00Z') },
      'fault',
      /refuses rows from 2026-01-06T00:00:00.000Z on/,
    ],
  ])('outbox partitions %j are judged %s', (change, level, says) => {
    const sound = { days_ahead: 7, default_has_rows: false, refuses_from: null };
    const finding = judgeOutbox({ ...sound, ...change }, now);
    expect(finding.level).toBe(level);
    expect(finding.says).toMatch(says);
    if (level !== 'ok') expect(finding.fix).toMatch(/^call outbox_keep_house\(\);/);
  });

  test('a clock is off if it differs by more than its answer took, and a second', () => {
    expect(judgeClock(-900, 10)).toMatchObject({
      level: 'ok',
      says: 'Postgres is 900 ms behind this machine',
    });
    expect(judgeClock(1100, 10).level).toBe('warning');
    expect(judgeClock(1100, 2000).level).toBe('ok');
  });
});
