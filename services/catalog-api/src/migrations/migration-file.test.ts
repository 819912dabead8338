import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pendingMigrations, readMigrationFiles } from './migration-file.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'migrations-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function write(files: Record<string, string>) {
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(directory, name), sql);
  return readMigrationFiles(directory);
}
const applied = (...names: string[]) =>
  readMigrationFiles(directory)
    .filter(({ name }) => names.includes(name))
    .map(({ name, checksum }) => ({ name, checksum }));

test('files come in the order of their numbers, and other files are left alone', () => {
  const files = write({ '0002_b.sql': 'b', '0001_a.sql': 'a', 'README.md': '' });
  expect(files.map(({ name }) => name)).toEqual(['0001_a.sql', '0002_b.sql']);
});

test.each([
  [{ 'a.sql': '' }, 'a.sql: a migration is called NNNN_name.sql'],
  [{ '0001_a.sql': '', '0001_b.sql': '' }, '0001_a.sql and 0001_b.sql have the same number'],
  [{}, 'holds no .sql file'],
])('a directory that is not in order is refused: %j', (files, message) => {
  expect(() => write(files)).toThrow(message);
});

test('a directory that is not there is named', () => {
  expect(() => readMigrationFiles(join(directory, 'none'))).toThrow('cannot be read');
});

test('only what was not run is pending', () => {
  const files = write({ '0001_a.sql': 'a', '0002_b.sql': 'b' });
  expect(pendingMigrations(files, applied('0001_a.sql'))).toEqual(files.slice(1));
  expect(pendingMigrations(files, applied('0001_a.sql', '0002_b.sql'))).toEqual([]);
});

test('a file that was merged late is refused, and so are one that was edited and one that is gone', () => {
  write({ '0001_a.sql': 'a', '0003_c.sql': 'c' });
  const past = applied('0001_a.sql', '0003_c.sql');
  const late = write({ '0002_b.sql': 'b' });
  expect(() => pendingMigrations(late, past)).toThrow('0002_b.sql comes before 0003_c.sql');
  rmSync(join(directory, '0002_b.sql'));
  const edited = write({ '0001_a.sql': 'other' });
  expect(() => pendingMigrations(edited, past)).toThrow('0001_a.sql was changed after it was run');
  expect(() => pendingMigrations(edited.slice(1), past)).toThrow('0001_a.sql was run on this');
});
