import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { npmStaysOutside } from '../../scripts/bundle.ts';

/** Where the API without an outbox stands, beside the built one. */
export const withoutOutbox = 'services/catalog-api/dist/without-outbox.js';

/** Bundles the catalog API as it is built, but that its single writes store no event (`change-alone.ts`). */
export async function bundleWithoutOutbox(): Promise<void> {
  await build({
    entryPoints: ['services/catalog-api/src/main.ts'],
    outfile: withoutOutbox,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
    plugins: [
      {
        name: 'no-event',
        setup: (esbuild) =>
          esbuild.onResolve({ filter: /\/change-in-one\.ts$/ }, () => ({
            path: fileURLToPath(new URL('./change-alone.ts', import.meta.url)),
          })),
      },
      npmStaysOutside,
    ],
  });
}
