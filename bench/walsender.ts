import { Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from 'node:net';
import { performance } from 'node:perf_hooks';
import pg from 'pg';
import { quoteLiteral } from '../services/relay/src/wal/connection-config.ts';
import { noLsn, type Lsn } from '../services/relay/src/wal/lsn.ts';
import { encodeStandbyStatus } from '../services/relay/src/wal/standby-status.ts';
import { CopyDataSkimmer, type SkimCounts } from './copy-data-skimmer.ts';

/** How fast Postgres can send the backlog, when nobody holds it up. */
export interface WalsenderRun extends SkimCounts {
  /** From the first byte of the stream to the last commit, seconds. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** One read takes at most this much. */
const gulpBytes = 4 * 1024 * 1024;
/** Without a byte for this long the stream is taken as broken. */
const silenceMs = 60_000;

/**
 * Reads `inserts` events from the slot and throws them away: the ceiling of every relay on this machine. The socket rests a
 * millisecond between reads, so that it fills: woken for each message, the walsender spends its time on wake-ups and looks slower
 * than it is (that is why `pg_recvlogical` is no yardstick). The slot is not moved; use a copy of the relay's.
 * @throws Error with the server's words if it refuses, or if the stream ends or falls silent too early.
 */
export async function readWalsender({
  databaseUrl,
  slot,
  publication,
  inserts,
}: {
  databaseUrl: string;
  slot: string;
  publication: string;
  inserts: number;
}): Promise<WalsenderRun> {
  const gulps = new GulpingSocket();
  const url = new URL(databaseUrl);
  url.searchParams.set('replication', 'database');
  url.searchParams.set('application_name', 'bench-walsender');
  const client = new pg.Client({ connectionString: url.href, stream: () => gulps.socket });
  // What breaks the connection ends the stream below; the event alone would crash us.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await skim(gulps, { slot, publication, inserts });
  } finally {
    gulps.socket.destroy();
  }
}

async function skim(
  gulps: GulpingSocket,
  { slot, publication, inserts }: { slot: string; publication: string; inserts: number },
): Promise<WalsenderRun> {
  const { socket } = gulps;
  return new Promise((resolve, reject) => {
    let startedMs = 0;
    let lastCount = -1;
    const refuse = (why: string): void => {
      clearInterval(watch);
      reject(
        new Error(
          `walsender of slot ${slot}: ${why} (after ${skimmer.counts.inserts} of ${inserts} events)`,
        ),
      );
    };
    const watch = setInterval(() => {
      if (skimmer.counts.bytes === lastCount) refuse(`silent for ${silenceMs} ms`);
      lastCount = skimmer.counts.bytes;
    }, silenceMs);
    const skimmer = new CopyDataSkimmer({
      failed: refuse,
      replyRequested: (walEnd) => socket.write(stillHere(walEnd)),
    });
    const onClose = (): void => refuse('the connection was closed');
    socket.once('close', onClose);
    gulps.take((bytes) => {
      skimmer.push(bytes);
      const { counts } = skimmer;
      if (startedMs === 0 && counts.messages > 0) startedMs = performance.now();
      if (counts.inserts < inserts || !lastIsWhole(counts, inserts)) return;
      clearInterval(watch);
      socket.off('close', onClose);
      const seconds = (performance.now() - startedMs) / 1000;
      resolve({
        ...counts,
        seconds,
        eventsPerSecond: inserts / seconds,
        bytesPerSecond: counts.bytes / seconds,
      });
    });
    socket.write(
      frontendMessage(
        'Q',
        Buffer.from(
          `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names ${quoteLiteral(`"${publication}"`)})\0`,
        ),
      ),
    );
  });
}

/** The last event counts when its commit is here: its own one, or the only one if all events are in one transaction. */
function lastIsWhole(counts: SkimCounts, inserts: number): boolean {
  return counts.commits === 1 || counts.commits >= inserts;
}

/** Answers a keepalive and moves nothing. */
function stillHere(write: Lsn): Buffer {
  const status = { write, flush: noLsn, apply: noLsn, replyRequested: false };
  return frontendMessage('d', encodeStandbyStatus(status, Date.now()));
}

/** Source: Postgres, "Message Formats". */
function frontendMessage(tag: 'Q' | 'd', body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(tag, 0, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/**
 * A socket that reads into one large buffer and rests after each read. The driver logs in through it as through any other; from
 * `take` on, the bytes go to the reader alone.
 */
class GulpingSocket {
  readonly socket: Socket;
  #reader: ((bytes: Buffer) => void) | undefined;

  constructor() {
    const buffer = Buffer.alloc(gulpBytes);
    // `net.connect` hands its options to this constructor, `onread` among them; only the types leave it out.
    const options: SocketConstructorOpts & Pick<TcpSocketConnectOpts, 'onread'> = {
      onread: {
        buffer,
        callback: (count: number) => {
          const bytes = buffer.subarray(0, count);
          if (this.#reader) {
            this.#reader(bytes);
            this.#rest();
          } else this.socket.emit('data', Buffer.from(bytes));
          return true;
        },
      },
    };
    this.socket = new Socket(options);
  }

  /** Call it when the connection is quiet: what comes next starts a new message. */
  take(reader: (bytes: Buffer) => void): void {
    this.socket.removeAllListeners('data');
    this.#reader = reader;
  }

  #rest(): void {
    this.socket.pause();
    setTimeout(() => this.socket.resume(), 1);
  }
}
