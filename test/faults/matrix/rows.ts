import { readdirSync } from 'node:fs';
import type { FaultRow } from './fault-row.ts';

const folder = new URL('rows/', import.meta.url);

/** Every row that has a file `rows/NN-name.ts` with an export `row`, by number. @throws Error for a file whose row has another number. */
export async function faultRows(): Promise<readonly FaultRow[]> {
  const names = readdirSync(folder)
    .filter((name) => /^\d\d-[a-z0-9-]+\.ts$/.test(name))
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const { row } = (await import(new URL(name, folder).href)) as { row?: FaultRow };
      if (row?.number !== Number(name.slice(0, 2)))
        throw new Error(`rows/${name} exports row ${row?.number ?? '(none)'}: name it for its row`);
      return row;
    }),
  );
}
