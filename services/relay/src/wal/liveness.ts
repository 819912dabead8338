/** What is known about the connection's silence. Times are monotonic ms. */
export interface LivenessState {
  /** When the last byte came, or reading began again after a pause, whichever was later. */
  readonly heardMs: number;
  /** When the server was asked to answer, if it was since `heardMs`. */
  readonly askedMs: number | undefined;
  /** While we do not read, silence says nothing. */
  readonly isPaused: boolean;
  /** The server's `wal_sender_timeout`; 0 means that it sends no keepalives on its own. */
  readonly walSenderTimeoutMs: number;
}

/** `ask`: request an answer now. `lost`: it did not come, so that somebody else has to be asked. */
export type Liveness = 'alive' | 'ask' | 'lost';

/** What a server without `wal_sender_timeout` is given; Postgres' own default. */
const withoutTimeoutMs = 60_000;

/** How long silence says nothing. @param walSenderTimeoutMs 0 means none. */
export function silenceLimitMs(walSenderTimeoutMs: number): number {
  return walSenderTimeoutMs === 0 ? withoutTimeoutMs : walSenderTimeoutMs;
}

/**
 * Decides whether a silent server is still there: a half-open connection would else hold the relay for a quarter of an hour, or for ever.
 * Silence is normal on a quiet server, since our own frames keep it from pinging. So after one `wal_sender_timeout` it is asked, and
 * after two it does not seem to be there, but never sooner than half a timeout after it was asked: a process that stood still for long asks first.
 */
export function judgeLiveness(state: LivenessState, nowMs: number): Liveness {
  const { heardMs, askedMs, isPaused } = state;
  if (isPaused) return 'alive';
  const timeoutMs = silenceLimitMs(state.walSenderTimeoutMs);
  const silentMs = nowMs - heardMs;
  if (silentMs < timeoutMs) return 'alive';
  if (askedMs === undefined || askedMs < heardMs) return 'ask';
  return silentMs >= 2 * timeoutMs && nowMs - askedMs >= timeoutMs / 2 ? 'lost' : 'alive';
}

/** How often to judge, so that both thresholds are met within a fraction of the timeout. */
export function livenessCheckMs(walSenderTimeoutMs: number): number {
  return Math.min(1000, Math.max(50, silenceLimitMs(walSenderTimeoutMs) / 8));
}
