import type { SourceProgress } from './change-source.ts';
import { noLsn, type Lsn } from './lsn.ts';
import { postgresEpochMs } from './pgoutput.ts';

/** One status update to the server: how far we have read, and how far the slot may follow. */
export interface StandbyStatus {
  /** Everything before this was received. */
  readonly write: Lsn;
  /** Everything before this is in Kafka: the slot follows it. 0 means "nothing to say" and leaves the slot where it is. */
  readonly flush: Lsn;
  readonly apply: Lsn;
  /** Asks the server to answer at once. */
  readonly replyRequested: boolean;
}

/** What has been received, reported and sent so far on this connection. Times are monotonic ms. */
export interface StatusState {
  readonly receivedLsn: Lsn;
  readonly progress: SourceProgress;
  /** Highest `flush` that was sent; 0 before the first. */
  readonly sentFlushLsn: Lsn;
  /** When the last frame was sent; `-Infinity` before the first. */
  readonly sentMs: number;
  /** The server asked for an answer and has not had one. */
  readonly isReplyDue: boolean;
}

export interface StatusTiming {
  /** A frame at least this often, so that the server does not end a quiet connection. Below half of `wal_sender_timeout`. */
  readonly intervalMs: number;
  /** No two frames closer than this: a server that waits for our position while it stops asks without pause. */
  readonly gapMs: number;
}

export const defaultStatusTiming: StatusTiming = { intervalMs: 5000, gapMs: 100 };

/**
 * The interval that suits a server: the wanted one, or a third of `wal_sender_timeout` if that is less, so that one late frame does no
 * harm. A timeout of 0 never ends a connection.
 */
export function statusIntervalMs(wantedMs: number, walSenderTimeoutMs: number): number {
  if (walSenderTimeoutMs === 0) return wantedMs;
  return Math.min(wantedMs, Math.max(100, Math.floor(walSenderTimeoutMs / 3)));
}

/** Milliseconds until a frame is due; 0 or less means now. */
export function statusDueInMs(state: StatusState, nowMs: number, timing: StatusTiming): number {
  const sinceMs = nowMs - state.sentMs;
  const hasNews = state.isReplyDue || flushToSend(state) > state.sentFlushLsn;
  return (hasNews ? timing.gapMs : timing.intervalMs) - sinceMs;
}

/**
 * What a frame says now. `flush` is the acknowledged position when it is news, or when it is all that was received; else 0.
 * A server that stops ends a connection only when the last `flush` equals what it has sent, or, if that was 0, when the last `write`
 * does (`WalSndDone` in walsender.c). So 0 while something is on its way lets it stop at once, and moves nothing.
 * The position is exact: with one more, a commit that begins there would be skipped, and the server would never stop.
 */
export function statusToSend(state: StatusState, replyRequested = false): StandbyStatus {
  const ackLsn = flushToSend(state);
  const isNews = ackLsn > state.sentFlushLsn;
  const isAll = state.progress.idle && ackLsn === state.receivedLsn;
  const flush = isNews || isAll ? ackLsn : noLsn;
  return { write: state.receivedLsn, flush, apply: flush, replyRequested };
}

/** Never beyond what this very connection has received: a position that is left over from another one says nothing here. */
function flushToSend({ progress, receivedLsn }: StatusState): Lsn {
  return progress.ackLsn <= receivedLsn ? progress.ackLsn : noLsn;
}

/**
 * The frame's bytes.
 * **Layout**: `r`, Int64 write, Int64 flush, Int64 apply, Int64 microseconds since 2000-01-01, Int8 reply requested: 34 bytes.
 * `wallMs` is for the server's display only.
 * Source: https://www.postgresql.org/docs/current/protocol-replication.html, "Standby status update"
 */
export function encodeStandbyStatus(status: StandbyStatus, wallMs: number): Buffer {
  const bytes = Buffer.alloc(34);
  bytes[0] = 0x72;
  bytes.writeBigUInt64BE(status.write, 1);
  bytes.writeBigUInt64BE(status.flush, 9);
  bytes.writeBigUInt64BE(status.apply, 17);
  bytes.writeBigInt64BE(BigInt(Math.round((wallMs - postgresEpochMs) * 1000)), 25);
  bytes[33] = status.replyRequested ? 1 : 0;
  return bytes;
}
