import { RelayError } from '../errors.ts';
import type { ChangeListener, ChangeStream, SourceProgress } from './change-source.ts';
import type { ConnectionSettings } from './connection-config.ts';
import { livenessCheckMs } from './liveness.ts';
import { lsnFromBytes, lsnFromText, type Lsn } from './lsn.ts';
import { ReplicationLink, type LinkListener, type LinkSession } from './replication-link.ts';
import { readSenderActivity } from './sender-life.ts';
import { SenderWatch } from './sender-watch.ts';
import type { Sentinel } from './sentinel.ts';
import { tellsOfSkippedPublication, type ServerNotice } from './server-notice.ts';
import { judgePublication } from './source-checks.ts';
import { readPublication, type SourceNames } from './source-facts.ts';
import type { SourceIdentity } from './source-position.ts';
import { defaultStatusTiming, statusIntervalMs } from './standby-status.ts';
import { StatusReporter } from './status-reporter.ts';
import { hex } from './tuple.ts';

export interface PostgresStreamOptions {
  readonly settings: ConnectionSettings;
  readonly names: SourceNames;
  readonly listener: ChangeListener;
  readonly sentinel: Sentinel;
  readonly isPartitioned: boolean;
  /** What the slot had confirmed, asked for just before it is taken. */
  readonly startLsn: Lsn;
  /** Longest silence towards the server. Defaults to 5,000 ms; less if `wal_sender_timeout` is short. */
  readonly statusIntervalMs?: number;
  /** The longest `wal_sender_timeout` that the session may have; 0 leaves it to the server. Defaults to 0. */
  readonly walSenderTimeoutMs?: number;
  /** How often the publication is looked at while streaming. Defaults to 10,000 ms. */
  readonly checkIntervalMs?: number;
  readonly onWarning: (message: string) => void;
  /** The server works and sends nothing; see `SenderWatch`. */
  readonly onSilence: (silentMs: number | undefined) => void;
}

const closeTimeoutMs = 2000;

/**
 * An open stream: passes messages on, answers the server in time whatever the reader does, and ends once, with a reason.
 * Back-pressure pauses the socket and nothing else: status updates, the watchdog and the checks go on, because a server that hears
 * nothing ends the connection even while it is the one that waits. All timing is monotonic.
 */
export class PostgresStream implements ChangeStream, LinkListener {
  readonly #options: PostgresStreamOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #link: ReplicationLink | undefined;
  #session: LinkSession | undefined;
  #status: StatusReporter | undefined;
  #watch: SenderWatch | undefined;
  #isPaused = false;
  #isClosed = false;
  #isChecking = false;

  private constructor(options: PostgresStreamOptions) {
    this.#options = options;
  }

  /** @throws RelayError SOURCE_* */
  static async open(options: PostgresStreamOptions): Promise<PostgresStream> {
    const stream = new PostgresStream(options);
    const { settings, names, walSenderTimeoutMs = 0 } = options;
    const { slot, publication } = names;
    const link = await ReplicationLink.open({
      settings,
      slot,
      publication,
      walSenderTimeoutMs,
      listener: stream,
    });
    stream.#attach(link);
    return stream;
  }

  get identity(): SourceIdentity {
    if (!this.#session) throw new RelayError('INVARIANT_BROKEN', 'the stream has not begun');
    return this.#session.identity;
  }

  get startLsn(): Lsn {
    return this.#options.startLsn;
  }

  get heldForMs(): number {
    const { walSenderTimeoutMs = 0 } = this.#session ?? {};
    return walSenderTimeoutMs === 0 ? Infinity : walSenderTimeoutMs - this.#intervalMs();
  }

  report(progress: SourceProgress): void {
    this.#status?.report(progress);
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch?.pause(true);
    this.#link?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#watch?.pause(false);
    this.#link?.resume();
  }

  async holdsSlot(): Promise<boolean> {
    const pid = this.#session?.backendPid;
    return this.#options.sentinel.ask('asking who holds the slot', async (client) => {
      const { rows } = await client.query<{ active_pid: number | null }>(
        'select active_pid from pg_replication_slots where slot_name = $1',
        [this.#options.names.slot],
      );
      return pid !== undefined && rows[0]?.active_pid === pid;
    });
  }

  async flushedLsn(): Promise<Lsn> {
    return this.#options.sentinel.ask('asking how far the log is written', async (client) => {
      const { rows } = await client.query<{ lsn: string | null }>(
        'select case when pg_is_in_recovery() then null else pg_current_wal_flush_lsn() end::text as lsn',
      );
      const lsn = rows[0]?.lsn ?? undefined;
      if (lsn === undefined)
        throw new RelayError('SOURCE_CONNECTION_LOST', 'the server is no primary any more');
      return lsnFromText(lsn);
    });
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      if (this.#status) this.#link?.write(this.#status.frame());
      this.#stop();
    }
    this.#options.sentinel.close();
    await this.#link?.finish(closeTimeoutMs);
  }

  /** The server stops: tells it how far we are and lets go at once, so that it need not wait for us. The reader hears `closed`. */
  release(reason: RelayError): void {
    if (this.#isClosed) return;
    const link = this.#link;
    const frame = this.#status?.frame();
    this.#ended(reason);
    if (!link || !frame) return;
    // The slot keeps what the server has read of this; what it has not read comes again.
    const cut = setTimeout(() => link.fail(reason), 200);
    link.write(frame, () => {
      clearTimeout(cut);
      link.fail(reason);
    });
  }

  started(session: LinkSession): void {
    this.#session = session;
    this.#status = new StatusReporter({
      timing: { ...defaultStatusTiming, intervalMs: this.#intervalMs() },
      write: (frame) => this.#link?.write(frame),
    });
    this.#options.listener.opened(session.identity);
  }

  frame(bytes: Buffer): void {
    if (this.#isClosed) return;
    const kind = bytes[0];
    if (kind === 0x77 /* w: XLogData: Int64 start, Int64 end, Int64 time, then the message */) {
      if (bytes.length < 25) throw truncatedFrame(bytes);
      // First, so that a position that the reader reports from within the call is one that was received.
      this.#status?.received(lsnFromBytes(bytes, 1));
      this.#options.listener.message(bytes.subarray(25));
    } else if (kind === 0x6b /* k: keepalive: Int64 end, Int64 time, Int8 reply requested */) {
      if (bytes.length < 18) throw truncatedFrame(bytes);
      const walEnd = lsnFromBytes(bytes, 1);
      this.#status?.received(walEnd);
      this.#options.listener.keepalive(walEnd);
      // After the reader, so that the answer has what it made of it.
      if (bytes[17] === 1) this.#status?.replyRequested();
    } else {
      throw new RelayError(
        'DECODE_PROTOCOL',
        `a frame of unknown kind ${kind === undefined ? 'none' : hex(kind)}; expected w or k`,
      );
    }
  }

  warning(notice: ServerNotice): void {
    const text = `${notice.code ?? 'no code'}: ${notice.message}`;
    // 18 decodes on without a publication that was not there at this place of the log: rows before it exists again are left out.
    if (tellsOfSkippedPublication(notice)) {
      const { publication } = this.#options.names;
      throw new RelayError(
        'SOURCE_PUBLICATION_MISSING',
        `publication "${publication}" did not exist where the log is being read, so the server leaves out rows: a data gap (${text})`,
      );
    }
    this.#options.onWarning(text);
  }

  ended(reason: RelayError): void {
    this.#ended(reason);
  }

  #attach(link: ReplicationLink): void {
    this.#link = link;
    // It may have ended between its start and here.
    if (this.#isClosed) return;
    const { walSenderTimeoutMs = 0, backendPid = 0 } = this.#session ?? {};
    const { sentinel, names, onSilence } = this.#options;
    const watch = new SenderWatch({
      walSenderTimeoutMs,
      ask: () => this.#status?.ask(),
      activity: () =>
        sentinel.ask('asking what the silent server does', (client) =>
          readSenderActivity(client, { slot: names.slot, pid: backendPid }),
        ),
      onLost: (reason) => link.fail(reason),
      onSilence,
      nowMs: () => performance.now(),
    });
    this.#watch = watch;
    link.onRead(() => watch.heard());
    this.#timers.push(
      setInterval(() => watch.check(), livenessCheckMs(walSenderTimeoutMs)),
      setInterval(() => {
        if (!this.#isChecking) this.#checkPublication().catch(() => undefined);
      }, this.#options.checkIntervalMs ?? 10_000),
    );
    if (this.#isPaused) {
      watch.pause(true);
      link.pause();
    }
    this.#status?.start();
  }

  #intervalMs(): number {
    const wantedMs = this.#options.statusIntervalMs ?? defaultStatusTiming.intervalMs;
    return statusIntervalMs(wantedMs, this.#session?.walSenderTimeoutMs ?? 0);
  }

  /** The publication can be altered under a running stream; what it leaves out then would be lost without an error. */
  async #checkPublication(): Promise<void> {
    const { sentinel, names, isPartitioned } = this.#options;
    this.#isChecking = true;
    try {
      const publication = await sentinel.ask('looking at the publication', (client) =>
        readPublication(client, names),
      );
      judgePublication(publication, names, isPartitioned);
    } catch (thrown) {
      // A server that can't be asked is the stream's affair; a publication that is wrong ends it.
      if (thrown instanceof RelayError && thrown.code.startsWith('SOURCE_PUBLICATION_'))
        this.#link?.fail(thrown);
    } finally {
      this.#isChecking = false;
    }
  }

  #ended(reason: RelayError): void {
    if (this.#isClosed) return;
    this.#stop();
    this.#options.sentinel.close();
    this.#options.listener.closed(reason);
  }

  #stop(): void {
    this.#isClosed = true;
    this.#watch?.stop();
    this.#status?.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }
}

function truncatedFrame(bytes: Buffer): RelayError {
  return new RelayError(
    'DECODE_PROTOCOL',
    `a frame of kind ${hex(bytes[0] ?? 0)} has ${bytes.length} bytes, too few for its header`,
  );
}
