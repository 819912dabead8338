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
    await build({
      entryPoints: bundled[workspace].map((entry) => `${workspace}/${entry}`),
      outdir: `${workspace}/dist`,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: true,
      logLevel: 'warning',
      plugins: [npmStaysOutside],
    });
  }
}

export const isBundled = (workspace: string): workspace is BundledWorkspace =>
  Object.hasOwn(bundled, workspace);

export const bundledWorkspaces = Object.keys(bundled).filter(isBundled);
