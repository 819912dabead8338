import { bundle, bundledWorkspaces, isBundled } from './bundle.ts';

/** `npm run build`: bundles everything that is bundled, or only the workspaces named as arguments. */
const wanted = process.argv.slice(2);
const unknown = wanted.filter((workspace) => !isBundled(workspace));
if (unknown.length > 0) {
  console.error(
    `nothing is built of ${unknown.join(', ')}; choose of ${bundledWorkspaces.join(', ')}`,
  );
  process.exit(2);
}
await bundle(wanted.length > 0 ? wanted.filter(isBundled) : bundledWorkspaces);
