import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import ts from 'typescript';

/** What each file imports, types included, as it is written. Paths are relative to the repository. */
export type ImportsOf = ReadonlyMap<string, readonly string[]>;

const skipped = new Set(['node_modules', 'dist', 'generated', 'fixtures']);

/** The imports of every TypeScript file of the repository, apart from what is generated. */
export function readImports(): ImportsOf {
  return new Map(sourceFiles('').map((file) => [file, importsIn(readFileSync(file, 'utf8'))]));
}

/** What a text imports, exports from, or imports when it runs. */
export function importsIn(text: string): readonly string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** The file that an import means; undefined for one of npm or of Node. */
export function importedFile(from: string, imported: string): string | undefined {
  if (imported.startsWith('.')) return normalize(join(dirname(from), imported));
  const [scope, name, ...path] = imported.split('/');
  if (scope !== '@outbound' || name === undefined) return undefined;
  // A package is known by its index: whoever imports any of it depends on all that the index loads.
  return path.length === 0 ? `packages/${name}/src/index.ts` : undefined;
}

/** Files that import each other in a circle, one list for each set of them. */
export function circles(imports: ImportsOf): readonly (readonly string[])[] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  // Tarjan's strongly connected components.
  const visit = (file: string): number => {
    const number = order.size;
    order.set(file, number);
    let low = number;
    open.push(file);
    for (const imported of imports.get(file) ?? []) {
      const next = importedFile(file, imported);
      if (next === undefined || !imports.has(next)) continue;
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (open.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    lowest.set(file, low);
    if (low === number) {
      const members = open.splice(open.indexOf(file));
      if (members.length > 1) found.push(members);
    }
    return low;
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return found;
}

/** The workspace of a file, `packages/kafka`; undefined where it is in none. */
export function workspaceOf(file: string): string | undefined {
  return /^((?:packages|services)\/[^/]+)\//.exec(file)?.[1];
}

/** Whether a file is a test's, and may import whatever it needs. */
export function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/test-support/');
}

/**
 * One sentence for each import between workspaces that the table does not allow.
 * @param allowed what each workspace may import of ours, by name without the scope.
 */
export function forbiddenImports(
  imports: ImportsOf,
  allowed: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const faults: string[] = [];
  for (const [file, imported] of imports) {
    const workspace = workspaceOf(file);
    if (workspace === undefined || isTest(file)) continue;
    const may = allowed.get(workspace);
    if (may === undefined) faults.push(`${workspace} has no row in the table`);
    for (const each of imported) {
      const leaves =
        each.startsWith('.') && workspaceOf(importedFile(file, each) ?? '') !== workspace;
      if (leaves) faults.push(`${file} imports ${each}, a file outside of its package`);
      if (each.startsWith('@outbound/') && may?.includes(each.slice('@outbound/'.length)) === false)
        faults.push(`${file} imports ${each}, which ${workspace} may not`);
    }
  }
  return faults;
}

/** The rows of the table in "Layout" of DESIGN.md: what each workspace may import of ours. */
export function layoutTable(design: string): ReadonlyMap<string, readonly string[]> {
  const layout = design.slice(design.indexOf('## Layout'), design.indexOf('## Words'));
  const rows = layout.matchAll(/^\| `((?:packages|services)\/[a-z-]+)` *\|.*\| *([^|]+?) *\|$/gm);
  return new Map(
    Array.from(rows, ([, where = '', may = '']) => [
      where,
      may === 'nothing' ? [] : may.split(', '),
    ]),
  );
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || skipped.has(entry.name)) return [];
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}
