/** `unknown`: it could not be looked at. A fault is something that does not work, or will not. */
export type Level = 'ok' | 'warning' | 'fault' | 'unknown';

/** One thing that was looked at. */
export interface Finding {
  /** What: `postgres`, `slot`, `topic catalog.product`. */
  readonly check: string;
  readonly level: Level;
  /** What was found, with its value. */
  readonly says: string;
  /** What to do, one sentence; absent where nothing has to be done. */
  readonly fix?: string;
}

export function ok(check: string, says: string): Finding {
  return { check, level: 'ok', says };
}

export function warning(check: string, says: string, fix: string): Finding {
  return { check, level: 'warning', says, fix };
}

export function fault(check: string, says: string, fix: string): Finding {
  return { check, level: 'fault', says, fix };
}

export function unknown(check: string, says: string, fix?: string): Finding {
  return { check, level: 'unknown', says, ...(fix === undefined ? {} : { fix }) };
}
