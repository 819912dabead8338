import type pg from 'pg';

/** What a call of `outbox_housekeeping` says: action, partition and detail of each thing done or put off. */
export async function houseStep(
  client: pg.Client,
  { retention = '3 days', daysAhead = 7, grace = '0' } = {},
): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(
    "select concat_ws(' ', action, partition_name, detail) as line from outbox_housekeeping($1, $2, $3)",
    [retention, daysAhead, grace],
  );
  return rows.map(({ line }) => line);
}

/** The same of all steps that there are to do, as `outbox_keep_house` does them: what was done, and then what was not. */
export async function keepHouse(
  client: pg.Client,
  settings: { retention?: string; daysAhead?: number; grace?: string } = {},
): Promise<string[]> {
  const done: string[] = [];
  const changesNothing = (line: string): boolean => /^(kept|skipped)\b/.test(line);
  for (;;) {
    const lines = await houseStep(client, settings);
    if (lines.every(changesNothing)) return [...done, ...lines];
    done.push(...lines.filter((line) => !changesNothing(line)));
  }
}
