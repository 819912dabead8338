import { describe, expect, test } from 'vitest';
import { isOnline, onlineStatements } from './online-migration.ts';

const file = (sql: string) => ({ name: '0001_a.sql', sql, checksum: '' });

describe('an online migration', () => {
  test('is known by its first line', () => {
    expect(isOnline(file('-- online: built beside the writers\n'))).toBe(true);
    expect(isOnline(file('create table a ();\n-- online'))).toBe(false);
  });

  test('is read statement by statement, without its comments', () => {
    const statements = onlineStatements(
      file(`-- online
        create index concurrently if not exists a_idx on a (b); -- why; so
        create unique index concurrently if not exists a_key on a (c) where d is null;
        drop index concurrently if exists old_idx;`),
    );
    expect(statements).toEqual([
      {
        sql: 'create index concurrently if not exists a_idx on a (b)',
        index: 'a_idx',
        creates: true,
      },
      {
        sql: 'create unique index concurrently if not exists a_key on a (c) where d is null',
        index: 'a_key',
        creates: true,
      },
      { sql: 'drop index concurrently if exists old_idx', index: 'old_idx', creates: false },
    ]);
  });

  test.each([
    'create index a_idx on a (b)',
    'create index concurrently a_idx on a (b)',
    'drop index old_idx',
    'alter table a add column b int',
    'create index concurrently if not exists a_idx on a (b); select 1',
  ])('holds nothing that cannot be run again: %s', (sql) => {
    expect(() => onlineStatements(file(`-- online\n${sql};`))).toThrow(
      expect.objectContaining({ code: 'MIGRATION_INVALID' }),
    );
  });
});
