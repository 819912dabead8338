import { build } from 'esbuild';

/**
 * Bundles each service's entry points into its dist/ folder (about a second). Workspace packages are
 * compiled in; everything from npm stays an import, so that the lockfile decides what runs.
 */
const entryPoints = {
  'services/catalog-api': ['src/main.ts', 'src/migrate.ts'],
  'services/relay': ['src/main.ts', 'src/provision.ts'],
};

for (const [service, entries] of Object.entries(entryPoints)) {
  await build({
    entryPoints: entries.map((entry) => `${service}/${entry}`),
    outdir: `${service}/dist`,
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
