import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  circles,
  forbiddenImports,
  importsIn,
  isTest,
  layoutTable,
  readImports,
  workspaceOf,
} from './import-graph.ts';

const imports = readImports();
const table = layoutTable(readFileSync('DESIGN.md', 'utf8'));

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

describe('the files of the project', () => {
  it('import across packages what the table in DESIGN.md allows, and nothing else', () => {
    expect(forbiddenImports(imports, table)).toEqual([]);
  });

  it('import each other in no circle', () => {
    expect(circles(imports)).toEqual([]);
  });

  it('of the contract import zod and lossless-json, and Node', () => {
    const foreign = [...imports]
      .filter(([file]) => workspaceOf(file) === 'packages/contract' && !isTest(file))
      .flatMap(([, imported]) => imported.filter((each) => !/^(\.|node:)/.test(each)));
    expect(new Set(foreign)).toEqual(new Set(['zod', 'lossless-json']));
  });

  it('of the contract have no word about products', () => {
    const speaking = [...imports.keys()].filter(
      (file) =>
        workspaceOf(file) === 'packages/contract' &&
        !isTest(file) &&
        /catalog|products?\b/i.test(readFileSync(file, 'utf8')),
    );
    expect(speaking).toEqual([]);
  });

  it('import of ours what their package declares, which declares nothing else', () => {
    const used = new Map<string, Set<string>>();
    for (const [file, imported] of imports) {
      const workspace = workspaceOf(file);
      if (workspace === undefined || isTest(file)) continue;
      const names = used.get(workspace) ?? new Set();
      used.set(workspace, names);
      for (const each of imported)
        if (each.startsWith('@outbound/')) names.add(each.split('/').slice(0, 2).join('/'));
    }
    for (const [workspace, names] of used) {
      const text = readFileSync(`${workspace}/package.json`, 'utf8');
      const declared = Object.keys((JSON.parse(text) as Manifest).dependencies ?? {});
      const ours = declared.filter((name) => name.startsWith('@outbound/'));
      expect({ workspace, ours: ours.sort() }).toEqual({ workspace, ours: [...names].sort() });
    }
  });
});

describe('the judge of imports', () => {
  const graph = new Map([
    ['packages/contract/src/index.ts', ['./json.ts', 'zod']],
    ['packages/contract/src/json.ts', ['@outbound/schemas']],
    ['packages/schemas/src/index.ts', ['./product.ts']],
    ['packages/schemas/src/product.ts', ['@outbound/contract']],
    ['packages/kafka/src/fetch.ts', ['../../consumer/src/errors.ts', './lane.ts']],
    ['packages/kafka/src/fetch.test.ts', ['@outbound/schemas', '../../consumer/src/errors.ts']],
  ]);

  it('finds a circle over packages, and names its files', () => {
    expect(circles(graph).map((circle) => [...circle].sort())).toEqual([
      [
        'packages/contract/src/index.ts',
        'packages/contract/src/json.ts',
        'packages/schemas/src/index.ts',
        'packages/schemas/src/product.ts',
      ],
    ]);
  });

  it('names what is forbidden, and leaves tests out', () => {
    expect(forbiddenImports(graph, table)).toEqual([
      'packages/contract/src/json.ts imports @outbound/schemas, which packages/contract may not',
      'packages/kafka/src/fetch.ts imports ../../consumer/src/errors.ts, a file outside of its package',
    ]);
  });

  it('sees imports of types, exports from, and what is imported when it runs', () => {
    const text = `import type { A } from './a.ts';\nexport * from './b.ts';\nawait import('./c.ts');\n`;
    expect(importsIn(text)).toEqual(['./a.ts', './b.ts', './c.ts']);
  });
});
