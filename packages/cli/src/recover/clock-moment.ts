import type pg from 'pg';

/** A moment by two clocks. */
export interface Moment {
  /** By the server's clock, which people and NTP set; milliseconds since 1970. */
  readonly serverMs: number;
  /** By this process's clock, which nobody sets: when the server was asked, and when it had answered. */
  readonly askedMs: number;
  readonly answeredMs: number;
}

/** What the clocks say now. */
export async function readMoment(session: Pick<pg.ClientBase, 'query'>): Promise<Moment> {
  const askedMs = performance.now();
  const { rows } = await session.query<{ ms: number }>(
    'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
  );
  const [row] = rows;
  if (!row) throw new Error('the server gave no row where one was certain');
  return { serverMs: row.ms, askedMs, answeredMs: performance.now() };
}

/**
 * By how much the server's clock was set back between two moments, milliseconds, at the most: the time of both answers counts as such. 0 if it was not. A clock that
 * was set back, and forward again in between, is not noticed. Pure.
 */
export function setBackMs(earlier: Moment, later: Moment): number {
  const passedMs = later.answeredMs - earlier.askedMs;
  return Math.max(0, passedMs - (later.serverMs - earlier.serverMs));
}
