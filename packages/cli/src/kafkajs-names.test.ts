import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const repository = join(import.meta.dirname, '../../..');

/** Names that a source imports from kafkajs as values. */
function valuesImported(source: string): string[] {
  return [...source.matchAll(/^import (?!type\b)(?:\w+, )?\{([^}]*)\} from 'kafkajs';/gm)].flatMap(
    ([, names = '']) =>
      names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type ')),
  );
}

test('what the bundles import from kafkajs by name is what Node finds there: it reads the names of CommonJS off the text, and misses some', () => {
  const found = JSON.parse(
    execFileSync(
      process.execPath,
      ['-e', `import('kafkajs').then((all) => console.log(JSON.stringify(Object.keys(all))))`],
      { cwd: repository, encoding: 'utf8' },
    ),
  ) as string[];
  const imported = ['packages', 'services'].flatMap((folder) =>
    readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !/\.test\.ts$|test-support/.test(path))
      .flatMap((path) =>
        valuesImported(readFileSync(join(repository, folder, path), 'utf8')).map(
          (name) => `${name} in ${folder}/${path}`,
        ),
      ),
  );
  expect(imported.length).toBeGreaterThan(0);
  expect(imported.filter((each) => !found.includes(each.split(' ')[0] ?? ''))).toEqual([]);
});
