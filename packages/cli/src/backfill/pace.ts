/** How far a run is. */
export interface Pace {
  /** Entities done in this run. */
  readonly done: number;
  /** Entities that this run has to do; undefined if unknown. */
  readonly total: number | undefined;
  /** Time since this run began, milliseconds. */
  readonly elapsedMs: number;
}

/** Milliseconds to wait now, so that not more than `ratePerSecond` are done in a second on average; 0 is no limit. */
export function waitMs({ done, elapsedMs }: Pace, ratePerSecond: number): number {
  if (ratePerSecond === 0) return 0;
  return Math.max(0, (done / ratePerSecond) * 1000 - elapsedMs);
}

/** One line for a person: `1,500 of 100,000 (1 %), 480/s, about 3 min left`. */
export function paceText(pace: Pace): string {
  const { done, total, elapsedMs } = pace;
  const rate = elapsedMs > 0 ? (done * 1000) / elapsedMs : 0;
  const parts = [
    total === undefined
      ? number(done)
      : `${number(done)} of ${number(total)}${total > 0 ? ` (${Math.floor((Math.min(done, total) / total) * 100)} %)` : ''}`,
  ];
  if (rate > 0) parts.push(`${number(Math.round(rate))}/s`);
  if (rate > 0 && total !== undefined && total > done)
    parts.push(`about ${durationText((total - done) / rate)} left`);
  return parts.join(', ');
}

/** `12 s`, `3 min`, `2.5 h`. */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
