import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { releasedSchema, releasePath, type ReleasedSchema } from './released-schema.ts';

/**
 * Every release that is kept in the folder: `<event type>/<version>.json`.
 * @throws Error naming the file that cannot be read, or whose content is not what its place says.
 */
export async function readReleases(folder: string): Promise<readonly ReleasedSchema[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) =>
    name.endsWith('.json'),
  );
  return Promise.all(
    names.sort().map(async (name) => {
      const parsed = releasedSchema.safeParse(
        JSON.parse(await readFile(join(folder, name), 'utf8')),
      );
      if (!parsed.success)
        throw new Error(`${join(folder, name)} is no released schema: ${parsed.error.message}`);
      if (releasePath(parsed.data) !== name)
        throw new Error(`${join(folder, name)} holds ${releasePath(parsed.data)}`);
      return parsed.data;
    }),
  );
}
