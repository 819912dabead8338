import { build } from 'esbuild';

/**
 * Bundles the entry points of each service and of the command line into its dist/ folder (about a second). Workspace packages are
 * compiled in; everything from npm stays an import, so that the lockfile decides what runs. Workspaces as arguments: those only.
 */
const entryPoints = {
  'services/catalog-api': ['src/main.ts', 'src/migrate.ts'],
  'services/relay': ['src/main.ts', 'src/provision.ts'],
  'packages/cli': ['src/main.ts'],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((workspace) => !Object.hasOwn(entryPoints, workspace));
if (unknown.length > 0) {
  console.error(
    `nothing is built of ${unknown.join(', ')}; choose of ${Object.keys(entryPoints).join(', ')}`,
  );
  process.exit(2);
}

for (const [workspace, entries] of Object.entries(entryPoints)) {
  if (wanted.length > 0 && !wanted.includes(workspace)) continue;
  await build({
    entryPoints: entries.map((entry) => `${workspace}/${entry}`),
    outdir: `${workspace}/dist`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [
      {
        name: 'npm-stays-outside',
        setup(bundle) {
          bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' || path.startsWith('@outbound/')
              ? null
              : { path, external: true },
          );
        },
      },
    ],
  });
}
