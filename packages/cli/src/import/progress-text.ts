import type { ImportState } from './import-state.ts';

/**
 * One line of progress: `12,000 rows · 11,990 created · 10 refused · 34 % · 1,200/s · 0:42 left`.
 * @param run.fraction how much of the file was read, 0 to 1; `rows` and `elapsedMs` of this run, for the rate.
 */
export function progressText(
  { rows, created, refused }: Pick<ImportState, 'rows' | 'created' | 'refused'>,
  run: {
    readonly fraction: number;
    readonly rows: number;
    readonly elapsedMs: number;
    readonly isDry?: boolean;
  },
): string {
  const number = (value: number) => value.toLocaleString('en-US');
  const parts = [
    `${number(rows)} rows`,
    `${number(created)} ${run.isDry === true ? 'valid' : 'created'}`,
    `${number(refused)} refused`,
  ];
  parts.push(`${Math.floor(Math.min(run.fraction, 1) * 100)} %`);
  if (run.elapsedMs >= 1000) {
    parts.push(`${number(Math.round((run.rows * 1000) / run.elapsedMs))}/s`);
    if (run.fraction > 0 && run.fraction < 1) {
      const leftS = Math.round((run.elapsedMs * (1 - run.fraction)) / run.fraction / 1000);
      parts.push(`${Math.floor(leftS / 60)}:${String(leftS % 60).padStart(2, '0')} left`);
    }
  }
  return parts.join(' · ');
}
