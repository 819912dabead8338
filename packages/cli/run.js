// `npm run outbound`: the command line of this checkout, built when a source is newer than what is built. Reading a
// bundle takes a tenth of the time that transforming hundreds of sources takes, and that is most of a verb's time.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '../..');
const built = join(import.meta.dirname, 'dist/main.js');

/** When a source of a folder was changed last, in ms; tests are no part of what is built. */
function changedMs(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /(?<!\.test)\.ts$|\.json$/.test(entry.name))
    .reduce((newest, { parentPath, path, name }) => {
      const { mtimeMs } = statSync(join(parentPath ?? path, name));
      return Math.max(newest, mtimeMs);
    }, 0);
}

const packages = join(root, 'packages');
const sources = readdirSync(packages)
  .map((name) => join(packages, name, 'src'))
  .filter((folder) => existsSync(folder));
const isFresh = existsSync(built) && Math.max(...sources.map(changedMs)) <= statSync(built).mtimeMs;
if (!isFresh)
  execFileSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts', 'packages/cli'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
await import('./dist/main.js');
