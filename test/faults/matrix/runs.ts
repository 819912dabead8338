import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { RowResult } from './row-result.ts';

const folder = new URL('runs/', import.meta.url);
const fileOf = (row: number) => new URL(`${String(row).padStart(2, '0')}.json`, folder);

/** The last kept run of each row, by number. */
export function keptRuns(): readonly RowResult[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as RowResult);
}

/** Keeps the run in place of the row's last one. A file for each row, so that runs of several rows at once do not meet. */
export function keepRun(result: RowResult): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(result.row), `${JSON.stringify(result, null, 2)}\n`);
}

/** The last commit that changed what is run, with a + if there are changes that were not committed. */
export function productCommit(): string {
  const paths = ['services', 'packages', 'migrations'];
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const isChanged = git('status', '--porcelain', '--', ...paths) !== '';
  return git('log', '-1', '--format=%h', '--', ...paths) + (isChanged ? '+' : '');
}
