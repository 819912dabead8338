import { numberText } from '../console/units.ts';
import type { ImportState } from './import-state.ts';

/** How an import went. */
export interface ImportSummary {
  readonly end: ImportState;
  readonly isDry: boolean;
  /** Where its refused rows are listed. */
  readonly errorPath: string;
  readonly seconds: number;
  /** Of this run alone: a resumed one has more in `end`. */
  readonly rowsNow: number;
}

/** For programs: one object. */
export function summaryAnswer({ end, isDry, errorPath, seconds }: ImportSummary): object {
  return {
    rows: end.rows,
    ...(isDry
      ? { valid: end.created }
      : { created: end.created, created_before: end.createdBefore }),
    refused: end.refused,
    retries: end.retries,
    seconds: Math.round(seconds * 10) / 10,
    errors: end.refused === 0 ? null : errorPath,
  };
}

/** For people: `10 rows: 10 created, 0 refused (0.1 s, 100 rows/s)`, and where the refused rows are. */
export function summaryText({ end, isDry, errorPath, seconds, rowsNow }: ImportSummary): string {
  const what = [
    `${numberText(end.created)} ${isDry ? 'valid' : 'created'}`,
    ...(end.createdBefore === 0 ? [] : [`${numberText(end.createdBefore)} were created before`]),
    `${numberText(end.refused)} refused`,
  ];
  const how = [
    `${seconds.toFixed(1)} s`,
    `${numberText(Math.round(rowsNow / Math.max(seconds, 0.001)))} rows/s`,
    ...(end.retries === 0 ? [] : [`${numberText(end.retries)} retries`]),
  ];
  const where = end.refused === 0 ? '' : `\nrefused rows: ${errorPath}`;
  return `${numberText(end.rows)} rows: ${what.join(', ')} (${how.join(', ')})${where}`;
}
