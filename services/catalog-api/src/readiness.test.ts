import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { believed, judgeDatabase, neededMigration, type DatabaseFacts } from './readiness.ts';

const right: DatabaseFacts = {
  role: 'outbound_api',
  isStandby: false,
  isReadOnly: false,
  lacking: [],
  newestMigration: '0007_b.sql',
};
const judge = (facts: Partial<DatabaseFacts>) =>
  judgeDatabase({ ...right, ...facts }, '0007_b.sql');

test('a database with all that is needed, or more, is ready', () => {
  expect(judge({})).toEqual({ ok: true });
  expect(judge({ newestMigration: '0010_c.sql' })).toEqual({ ok: true });
});

test.each<[string, Partial<DatabaseFacts>, RegExp]>([
  ['without a migration', { newestMigration: null, lacking: ['x'] }, /not migrated: run migrate/],
  [
    'with an older schema',
    { newestMigration: '0006_a.sql' },
    /is 0006_a.sql.* needs 0007_b.sql: run migrate/,
  ],
  ['that hides its schema', { newestMigration: undefined }, /may not read schema_migration/],
  [
    'that refuses the role',
    { lacking: ['INSERT on outbox'] },
    /outbound_api lacks INSERT on outbox/,
  ],
  ['that is a standby', { isStandby: true, isReadOnly: true }, /standby .* promote it/],
  ['that is read-only', { isReadOnly: true }, /default_transaction_read_only/],
])('a database %s is not, and the remedy is said', (_, facts, detail) => {
  expect(judge(facts)).toEqual({ ok: false, detail: expect.stringMatching(detail) as string });
});

test('while an answer is late the last one counts for some seconds, and only what was well', () => {
  const well = { verdict: { ok: true }, askedAtMs: 1_000 };
  expect(believed(well, 1_700)).toEqual({
    ok: true,
    detail: 'the answer is late; 700 ms ago all was well',
  });
  expect(believed(well, 6_000)).toMatchObject({ ok: true });
  expect(believed(well, 6_001)).toBeUndefined();
  expect(believed({ ...well, verdict: { ok: false } }, 1_001)).toBeUndefined();
  expect(believed(undefined, 1_001)).toBeUndefined();
});

test('the migration that this code needs is there', () => {
  const path = new URL(`../../../migrations/${neededMigration}`, import.meta.url);
  expect(existsSync(fileURLToPath(path))).toBe(true);
});
