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

/** `ask`: request an answer now. `lost`: it did not come, destroy the socket. */
export type Liveness = 'alive' | 'ask' | 'lost';

/**
 * Decides whether a silent server is still there: a half-open connection would else hold the relay for a quarter of an hour.
 * Silence is normal on a quiet server, since our own frames keep it from pinging. So after one `wal_sender_timeout` it is asked, and
 * after two it is given up, but never sooner than half a timeout after it was asked: a process that stood still for long asks first.
 * With a timeout of 0 nothing is concluded: there the kernel's TCP keepalive is all there is.
 */
export function judgeLiveness(state: LivenessState, nowMs: number): Liveness {
  const { walSenderTimeoutMs: timeoutMs, heardMs, askedMs, isPaused } = state;
  if (timeoutMs === 0 || isPaused) return 'alive';
  const silentMs = nowMs - heardMs;
  if (silentMs < timeoutMs) return 'alive';
  if (askedMs === undefined || askedMs < heardMs) return 'ask';
  return silentMs >= 2 * timeoutMs && nowMs - askedMs >= timeoutMs / 2 ? 'lost' : 'alive';
}

/** How often to judge, so that both thresholds are met within a fraction of the timeout. */
export function livenessCheckMs(walSenderTimeoutMs: number): number {
  return Math.min(1000, Math.max(50, walSenderTimeoutMs / 8));
}
