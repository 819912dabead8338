import { lsnFromBytes, type Lsn } from '../services/relay/src/wal/lsn.ts';

/** What a replication stream held, counted without decoding it. */
export interface SkimCounts {
  bytes: number;
  /** XLogData messages. */
  messages: number;
  inserts: number;
  commits: number;
}

/** What a skimmer tells while it reads. */
export interface SkimListener {
  /** A keepalive that has to be answered, with the server's position. */
  replyRequested: (walEnd: Lsn) => void;
  /** An ErrorResponse, its text fields joined; the stream is over. */
  failed: (text: string) => void;
}

const copyData = 0x64; /* d */
const errorResponse = 0x45; /* E */
const xLogData = 0x77; /* w */
const keepalive = 0x6b; /* k */
/** Tag, length, kind, three Int64 of XLogData, and the first byte of the pgoutput message. */
const headLength = 1 + 4 + 1 + 24 + 1;
/** Tag, length, kind, walEnd, clock, reply requested. */
const keepaliveLength = 1 + 4 + 1 + 8 + 8 + 1;

/**
 * Reads the frames of a replication connection by their lengths only: the least that a reader can do and still know where the
 * stream ends. It is the yardstick of the drain, so it must cost next to nothing per event: one look at the head of a frame,
 * then a jump over the rest, wherever chunks break.
 * Source: Postgres, "Streaming Replication Protocol".
 */
export class CopyDataSkimmer {
  readonly counts: SkimCounts = { bytes: 0, messages: 0, inserts: 0, commits: 0 };
  readonly #listener: SkimListener;
  /** The start of a frame whose head a chunk cut. */
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of the current frame that are still to come. */
  #skip = 0;

  constructor(listener: SkimListener) {
    this.#listener = listener;
  }

  /** Takes the next bytes; nothing of the view is kept without a copy. */
  push(bytes: Buffer): void {
    this.counts.bytes += bytes.length;
    let chunk = bytes;
    if (this.#held.length > 0) {
      chunk = Buffer.concat([this.#held, bytes]);
      this.#held = Buffer.alloc(0);
    }
    let at = this.#skip;
    while (at < chunk.length) {
      const whole = chunk.length - at >= 5 ? 1 + chunk.readUInt32BE(at + 1) : Infinity;
      const needed = chunk[at] === errorResponse ? whole : Math.min(whole, headLength);
      if (chunk.length - at < needed) {
        this.#held = Buffer.from(chunk.subarray(at));
        this.#skip = 0;
        return;
      }
      this.#look(chunk, at, whole);
      at += whole;
    }
    this.#skip = at - chunk.length;
  }

  #look(chunk: Buffer, at: number, whole: number): void {
    if (chunk[at] === errorResponse) {
      const fields = chunk
        .toString('utf8', at + 5, at + whole)
        .split('\0')
        .filter((field) => /^[SCM]/.test(field));
      this.#listener.failed(fields.map((field) => field.slice(1)).join(' '));
      return;
    }
    if (chunk[at] !== copyData) return;
    const kind = chunk[at + 5];
    if (kind === xLogData) {
      this.counts.messages += 1;
      const message = chunk[at + 30];
      if (message === 0x49 /* I */) this.counts.inserts += 1;
      else if (message === 0x43 /* C */) this.counts.commits += 1;
    } else if (kind === keepalive && chunk[at + keepaliveLength - 1] === 1) {
      this.#listener.replyRequested(lsnFromBytes(chunk, at + 6));
    }
  }
}
