import { readFileSync } from 'node:fs';
import { reliabilityTable, withTable } from './reliability-table.ts';
import { faultRows } from './rows.ts';
import { keptRuns } from './runs.ts';

export const reliabilityPath = 'docs/reliability.md';

/** The page as it is, with the table of the runs that are kept; not formatted. */
export async function reliabilityPage(): Promise<string> {
  const table = reliabilityTable(await faultRows(), keptRuns());
  return withTable(readFileSync(reliabilityPath, 'utf8'), table);
}
