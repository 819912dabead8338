import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build, type OutputFile, type Plugin } from 'esbuild';
import { isBeingWritten, replaceFile } from './replace-file.ts';

/** What is bundled: workspaces with their entry points. */
export const bundled = {
  'services/catalog-api': ['src/main.ts', 'src/migrate.ts', 'src/development-token.ts'],
  'services/relay': ['src/main.ts', 'src/provision.ts'],
  'packages/cli': ['src/main.ts'],
} as const;

export type BundledWorkspace = keyof typeof bundled;

/** Workspace packages are compiled in; everything from npm stays an import. */
export const npmStaysOutside: Plugin = {
  name: 'npm-stays-outside',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@outbound/') ? null : { path, external: true },
    );
  },
};

/**
 * Bundles entry points of services and of the command line into their dist/ folders (about a second). Workspace packages are
 * compiled in; everything from npm stays an import, so that the lockfile decides what runs. Each file takes the place of
 * the one before it in one step, the entry points last: what starts meanwhile reads whole ones.
 */
export async function bundle(workspaces: readonly BundledWorkspace[]): Promise<void> {
  for (const workspace of workspaces) {
    const { outputFiles } = await build({
      entryPoints: bundled[workspace].map((entry) => `${workspace}/${entry}`),
      outdir: `${workspace}/dist`,
      bundle: true,
      // What is imported when it is needed stays a file of its own, read when it is needed.
      splitting: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: true,
      write: false,
      logLevel: 'warning',
      plugins: [npmStaysOutside],
    });
    const entries = new Set(
      bundled[workspace].map((entry) => basename(entry).replace(/ts$/, 'js')),
    );
    const isEntry = ({ path }: OutputFile): boolean => entries.has(basename(path));
    mkdirSync(`${workspace}/dist`, { recursive: true });
    const parts = outputFiles.filter((file) => !isEntry(file));
    for (const { path, contents } of [...parts, ...outputFiles.filter(isEntry)])
      replaceFile(path, contents);
    removeOthers(`${workspace}/dist`, new Set(outputFiles.map(({ path }) => basename(path))));
  }
}

/** Parts of earlier builds have other names; they go once the new ones are there, so that no start meets a gap. */
function removeOthers(folder: string, built: ReadonlySet<string>): void {
  for (const name of readdirSync(folder))
    if (!built.has(name) && !isBeingWritten(name)) rmSync(`${folder}/${name}`, { force: true });
}

export const isBundled = (workspace: string): workspace is BundledWorkspace =>
  Object.hasOwn(bundled, workspace);

export const bundledWorkspaces = Object.keys(bundled).filter(isBundled);
