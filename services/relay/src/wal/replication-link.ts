import type { Client } from 'pg';
import { LogicalReplicationService } from 'pg-logical-replication';
import { RelayError, toRelayError } from '../errors.ts';
import {
  clientConfig,
  defaultConnectTimeoutMs,
  quoteIdentifier,
  quoteLiteral,
  type ConnectionSettings,
} from './connection-config.ts';
import { streamOf } from './sentinel.ts';
import type { ServerNotice } from './server-notice.ts';
import { toSourceError, type SourcePhase } from './source-errors.ts';
import type { SourceIdentity } from './source-position.ts';

/** What a link tells. All calls are synchronous; `ended` comes once at most, and nothing follows it. */
export interface LinkListener {
  /** The slot is taken; before the first frame. */
  started(session: LinkSession): void;
  /** The payload of one CopyData: XLogData or a keepalive. A view into a buffer that is reused. Whatever it throws ends the link. */
  frame(bytes: Buffer): void;
  /** A warning of the server within the stream. Whatever it throws ends the link. */
  warning(notice: ServerNotice): void;
  ended(reason: RelayError): void;
}

/** What the server says about the session before it streams. */
export interface LinkSession {
  readonly identity: SourceIdentity;
  /** The server process that holds the slot for us. */
  readonly backendPid: number;
  /** After so long without a word of ours the server gives the slot up; 0 means never. */
  readonly walSenderTimeoutMs: number;
}

interface LinkOptions {
  readonly settings: ConnectionSettings;
  readonly slot: string;
  readonly publication: string;
  /** The longest `wal_sender_timeout` that this session may have; 0 leaves it to the server. Defaults to 0. */
  readonly walSenderTimeoutMs?: number;
  readonly listener: LinkListener;
}

const startTimeoutMs = 30_000;
const copyDone = Buffer.from([0x63, 0, 0, 0, 4]);

/**
 * The replication connection: pg-logical-replication as transport, and nothing else of it. It connects and starts; the bytes are taken
 * from the connection, acknowledgements are written to the socket. So its own acknowledgements (of what was received, one byte too far,
 * on a wall clock), its text positions, its parser and its flow control never run. One instance for each connection, never used again:
 * a second `subscribe` would start after what was received, not after what was acknowledged.
 */
export class ReplicationLink {
  readonly #options: LinkOptions;
  #client: Client | undefined;
  #phase: SourcePhase = 'connect';
  #session: LinkSession | undefined;
  #isEnded = false;
  #onEnd: (() => void) | undefined;

  private constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Connects, takes the slot and streams from its confirmed position. Resolves after `started`.
   * @throws RelayError SOURCE_*; the listener then hears nothing.
   */
  static async open(options: LinkOptions): Promise<ReplicationLink> {
    const link = new ReplicationLink(options);
    await link.#open();
    return link;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  pause(): void {
    if (this.#client && !this.#isEnded) streamOf(this.#client).pause();
  }

  resume(): void {
    if (this.#client && !this.#isEnded) streamOf(this.#client).resume();
  }

  /** Calls back for every piece that is read from the socket, before its frames. */
  onRead(heard: () => void): void {
    if (this.#client) streamOf(this.#client).prependListener('data', heard);
  }

  /** Writes one frame as CopyData. It does not wait; `onFlushed` comes when the kernel has it, or never. */
  write(frame: Buffer, onFlushed?: () => void): void {
    if (!this.#client || this.#isEnded) return;
    const stream = streamOf(this.#client);
    if (!stream.writable) return;
    const header = Buffer.alloc(5);
    header[0] = 0x64;
    header.writeInt32BE(4 + frame.length, 1);
    // One write, so that no other may come between header and frame.
    stream.write(Buffer.concat([header, frame]), () => onFlushed?.());
  }

  /** Ends the link for this reason, at once; only the first reason counts. */
  fail(reason: RelayError): void {
    this.#end(reason);
  }

  /**
   * Says goodbye: no frame is passed on any more, the server ends the stream and gives the slot up. Resolves when the connection is
   * gone, after `timeoutMs` at the latest, when it is cut. Never rejects. The listener hears no `ended`.
   */
  async finish(timeoutMs: number): Promise<void> {
    if (this.#isEnded || !this.#client) return;
    this.#isEnded = true;
    const client = this.#client;
    const stream = streamOf(client);
    const gone = new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      if (stream.destroyed) resolve();
      setTimeout(resolve, timeoutMs).unref();
    });
    if (stream.writable) stream.write(copyDone);
    // What was sent before the server saw our goodbye is read and dropped: unread bytes would turn the close into a reset.
    stream.resume();
    await gone;
    stream.destroy();
  }

  async #open(): Promise<void> {
    const { settings, slot } = this.#options;
    const service = new LogicalReplicationService(clientConfig(settings), {
      // A positive timeout acknowledges what was received even with auto: false, and loses it.
      acknowledge: { auto: false, timeoutSeconds: 0 },
      flowControl: { enabled: false },
    });
    const timeoutMs = (settings.connectTimeoutMs ?? defaultConnectTimeoutMs) + startTimeoutMs;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(
          () =>
            reject(
              new RelayError(
                'SOURCE_CONNECTION_LOST',
                `Postgres did not start the stream within ${timeoutMs} ms`,
              ),
            ),
          timeoutMs,
        );
        // Without a listener, a lost connection would end the process.
        service.on('error', (error) => {
          const reason = toSourceError(error, this.#phase, this.#doing());
          reject(reason);
          this.#end(reason);
        });
        service.on('start', () => {
          try {
            this.#started();
            resolve();
          } catch (thrown) {
            reject(toRelayError(thrown));
          }
        });
        // Resolves or rejects when the stream has ended; both are an end, and several signals of one fault are normal.
        service
          .subscribe(this.#plugin(), slot, '0/00000000')
          .then(() => new RelayError('SOURCE_CONNECTION_LOST', 'Postgres ended the stream'))
          .catch((thrown: unknown) => toSourceError(thrown, this.#phase, this.#doing()))
          .then((reason) => {
            reject(reason);
            this.#end(reason);
          })
          .catch((thrown: unknown) => reject(toRelayError(thrown)));
      });
    } catch (thrown) {
      this.#isEnded = true;
      if (this.#client) streamOf(this.#client).destroy();
      throw thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  #plugin(): { name: string; options: object; parse: () => undefined; start: Start } {
    return {
      name: 'pgoutput',
      options: {},
      // The bytes are taken in #attach, where their header can be seen too; a view that got out of here would be overwritten.
      parse: () => undefined,
      start: async (client, slot, lsn) => {
        this.#attach(client);
        this.#phase = 'check';
        this.#session = await beginSession(client, slot, this.#options.walSenderTimeoutMs ?? 0);
        this.#phase = 'start';
        return client.query(startSql(slot, this.#options.publication, lsn));
      },
    };
  }

  #attach(client: Client): void {
    this.#client = client;
    const take = (pass: () => void): void => {
      // A read may hold more messages after the one that ended the link: none of them is passed on.
      if (this.#isEnded) return;
      try {
        pass();
      } catch (thrown) {
        // Left alone it would escape into the socket, and the stream would go on behind the message that failed.
        this.#end(toRelayError(thrown));
      }
    };
    const { listener } = this.#options;
    // The library's own listener, and the driver's: both would work on each frame for nothing (texts of positions, events, a promise).
    client.connection.removeAllListeners('copyData');
    client.connection.on('copyData', ({ chunk }: { chunk: Buffer }) =>
      take(() => listener.frame(chunk)),
    );
    client.on('notice', (notice) => {
      if (this.#phase === 'stream')
        take(() => {
          const { code, message = '', routine } = notice;
          listener.warning({ code, message, routine });
        });
    });
    client.on('error', (error) => this.#end(toSourceError(error, this.#phase, this.#doing())));
    client.on('end', () => {
      this.#onEnd?.();
      this.#end(new RelayError('SOURCE_CONNECTION_LOST', 'the replication connection was closed'));
    });
  }

  #started(): void {
    if (!this.#session)
      throw new RelayError('INVARIANT_BROKEN', 'the stream began before it was asked for');
    this.#phase = 'stream';
    this.#options.listener.started(this.#session);
  }

  /** The library's own `stop` is never called: it removes the 'error' listeners of a socket that can still fail, which ends the process. */
  #end(reason: RelayError): void {
    if (this.#client) streamOf(this.#client).destroy();
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#phase === 'stream') this.#options.listener.ended(reason);
  }

  #doing(): string {
    const { slot } = this.#options;
    switch (this.#phase) {
      case 'connect':
        return 'connecting to Postgres for replication';
      case 'check':
        return 'asking the replication session';
      case 'start':
        return `starting to stream from slot "${slot}"`;
      case 'stream':
        return `streaming from slot "${slot}"`;
    }
  }
}

type Start = (client: Client, slot: string, lsn: string) => Promise<unknown>;

/** Protocol 1, text, committed transactions only: aborted data is then never seen, and a big transaction comes whole. */
function startSql(slot: string, publication: string, lsn: string): string {
  const publications = quoteLiteral(quoteIdentifier(publication));
  return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${lsn} (proto_version '1', publication_names ${publications})`;
}

async function beginSession(
  client: Client,
  slot: string,
  walSenderTimeoutMs: number,
): Promise<LinkSession> {
  const system = await client.query<{ systemid: string; timeline: number; dbname: string }>(
    'IDENTIFY_SYSTEM',
  );
  // Set and asked here and not beside: it is the session's own, and a role may have one. A shorter one was somebody's choice, and stays.
  await client.query(
    `select set_config('wal_sender_timeout', '${walSenderTimeoutMs}ms', false) from pg_settings
     where name = 'wal_sender_timeout' and ${walSenderTimeoutMs} > 0 and (setting = '0' or setting::int > ${walSenderTimeoutMs})`,
  );
  const session = await client.query<{ pid: number; timeout: number }>(
    "select pg_backend_pid() as pid, setting::int as timeout from pg_settings where name = 'wal_sender_timeout'",
  );
  const [identified] = system.rows;
  const [row] = session.rows;
  if (!identified || !row) throw new Error('the server does not say who it is');
  return {
    identity: {
      systemIdentifier: identified.systemid,
      timeline: Number(identified.timeline),
      database: identified.dbname,
      slot,
    },
    backendPid: row.pid,
    walSenderTimeoutMs: row.timeout,
  };
}
