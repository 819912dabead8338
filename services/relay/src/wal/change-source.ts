import type { RelayError } from '../errors.ts';
import type { Lsn } from './lsn.ts';
import type { SourceIdentity } from './source-position.ts';

/** What a source tells its reader, in log order, synchronously: a listener must not throw. */
export interface ChangeListener {
  /** The slot is taken and this is the log it reads. Comes once, before any message, possibly before `open` resolves. */
  opened(identity: SourceIdentity): void;
  /**
   * One pgoutput message (protocol 1, text, committed transactions only).
   * `bytes` is a view into a buffer that is reused: whatever is kept past the call must be copied.
   */
  message(bytes: Buffer): void;
  /** Everything committed before `walEnd` has been delivered. Comes between transactions or inside one. */
  keepalive(walEnd: Lsn): void;
  /** The stream ended, for this reason; nothing follows. Comes exactly once, unless `close` was called first. */
  closed(reason: RelayError): void;
}

/** How far the reader is. */
export interface SourceProgress {
  /** Everything that ends at or before this is in Kafka. Never falls. */
  readonly ackLsn: Lsn;
  /** Nothing that was received is still on its way, so the slot may follow keepalives. */
  readonly idle: boolean;
}

/** An open replication stream: this process holds the slot until `close`. */
export interface ChangeStream {
  readonly identity: SourceIdentity;
  /** What the slot had confirmed when it was taken: what commits before it does not come. */
  readonly startLsn: Lsn;
  /** A process that stood still for no longer than this has not lost the slot by it; Infinity if it never does. */
  readonly heldForMs: number;
  /** Takes the reader's progress; when it is sent to the server is the adapter's decision (`standby-status.ts`). */
  report(progress: SourceProgress): void;
  /** Stops reading from the socket. Messages that were already read may still arrive: at most one read's worth. Status updates go on. */
  pause(): void;
  resume(): void;
  /** True if the server says that this very connection still holds the slot. Rejects if the server cannot be asked. */
  holdsSlot(): Promise<boolean>;
  /** How far the server has its log on disk now: nothing beyond has ever been read in this history. Rejects if the server cannot be asked. */
  flushedLsn(): Promise<Lsn>;
  /** Sends the last progress, then ends the stream and gives up the slot. Never rejects; bounded in time. */
  close(): Promise<void>;
}

/** Port: where committed transactions come from. Real form: `postgres-source.ts`; in-memory form: the simulator's. */
export interface ChangeSource {
  /**
   * Takes the slot and streams from its confirmed position: what was not acknowledged comes again.
   * @param signal aborted: opening is in vain. What takes long and would leave something behind is cancelled; the rest may go on.
   * @throws RelayError SOURCE_* — SLOT_BUSY when another process holds the slot.
   */
  open(listener: ChangeListener, signal?: AbortSignal): Promise<ChangeStream>;
}
