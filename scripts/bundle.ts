import { readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build, type Plugin } from 'esbuild';

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
 * compiled in; everything from npm stays an import, so that the lockfile decides what runs.
 */
export async function bundle(workspaces: readonly BundledWorkspace[]): Promise<void> {
  for (const workspace of workspaces) {
    const { metafile } = await build({
      entryPoints: bundled[workspace].map((entry) => `${workspace}/${entry}`),
      outdir: `${workspace}/dist`,
      bundle: true,
      // What is imported when it is needed stays a file of its own, read when it is needed.
      splitting: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: true,
      metafile: true,
      logLevel: 'warning',
      plugins: [npmStaysOutside],
    });
    removeOthers(
      `${workspace}/dist`,
      new Set(Object.keys(metafile.outputs).map((file) => basename(file))),
    );
  }
}

/** Parts of earlier builds have other names; they go once the new ones are there, so that no start meets a gap. */
function removeOthers(folder: string, built: ReadonlySet<string>): void {
  for (const name of readdirSync(folder)) if (!built.has(name)) rmSync(`${folder}/${name}`);
}

export const isBundled = (workspace: string): workspace is BundledWorkspace =>
  Object.hasOwn(bundled, workspace);

export const bundledWorkspaces = Object.keys(bundled).filter(isBundled);
