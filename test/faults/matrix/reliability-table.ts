import type { FaultRow } from './fault-row.ts';
import { isSound, type RowResult } from './row-result.ts';

/** Between these two lines of docs/reliability.md stands the table. */
export const tableMarkers = {
  begin: '<!-- the fault matrix: written by npm run faults -- --write-table -->',
  end: '<!-- end of the fault matrix -->',
} as const;

/** The page with the table in it. @throws Error if the page has not the two markers. */
export function withTable(page: string, table: string): string {
  const [begin, end] = [page.indexOf(tableMarkers.begin), page.indexOf(tableMarkers.end)];
  if (begin < 0 || end < begin)
    throw new Error(`the page has not the lines ${tableMarkers.begin} and ${tableMarkers.end}`);
  return `${page.slice(0, begin + tableMarkers.begin.length)}\n\n${table}\n\n${page.slice(end)}`;
}

/** The matrix in Markdown: each row with what its last kept run showed, or that it was not run, and a line that counts. Pure. */
export function reliabilityTable(rows: readonly FaultRow[], runs: readonly RowResult[]): string {
  const run = new Map(runs.map((result) => [result.row, result]));
  const lines = rows.map(({ number, fault }) => ({
    number,
    cells: rowCells(fault, run.get(number)),
  }));
  const results = rows.flatMap(({ number }) => run.get(number) ?? []);
  const sound = results.filter(isSound);
  const rounds = results.reduce((sum, result) => sum + result.rounds, 0);
  return [
    `${sound.length} of ${lines.length} rows ran and kept every promise, ${results.length - sound.length} did not, ${lines.length - results.length} were not run; ${rounds} rounds in all.`,
    '',
    // Aligned, every line would change with the widest cell, and every merge would meet another.
    '<!-- prettier-ignore -->',
    '| row | fault | rounds | what proves that it bit | promises judged | run |',
    '| --: | --- | --: | --- | --- | --- |',
    ...lines.map(({ number, cells }) => `| ${[number, ...cells.map(escaped)].join(' | ')} |`),
  ].join('\n');
}

function rowCells(fault: string, result: RowResult | undefined): string[] {
  if (!result) return [fault, '–', 'not run', '', ''];
  const { judged, failures, bit, rounds, date, product, node, firstSeed } = result;
  const promises = judged.map(({ promise, broken, found }) =>
    broken === 0
      ? `${promise} ${found}`
      : `**${promise} broken in ${broken} of ${rounds}**: ${found}`,
  );
  const failed = failures.map(({ seed, what }) => `**seed ${seed} failed**: ${what}`);
  return [
    fault,
    String(rounds),
    bit,
    [...promises, ...failed].join('; '),
    `${date}, product ${product}, node ${node}, first seed ${firstSeed}`,
  ];
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}
