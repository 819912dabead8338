import type { ServerResponse } from 'node:http';
import { PassThrough, Readable, pipeline, type Transform } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import type { FastifyReply } from 'fastify';

/** Longest time for the line that tells why a stream breaks off to leave. */
const lastWordsMs = 1_000;

/** Where the bytes of an answer are made, and what holds for them. */
export interface StreamedAnswer {
  /** Text by text, each sent when it is there. The next one is made when there is room for it. */
  readonly parts: AsyncIterable<string>;
  /** Longest time for one part to be taken. */
  readonly takeMs: number;
  /** Told when a part was not taken in time; the connection is ended then. */
  readonly onUntaken: () => void;
  /** Told of each part how many bytes are made and not taken, and of 0 at the end. */
  readonly onHeld: (bytes: number) => void;
}

/**
 * Sends an answer as it is made, compressed if the caller takes that (Zalando rule 156). A caller who reads slowly gets it slowly; one who does not read at all is ended.
 * An error of `parts` ends the connection behind what was sent, without the end of the body, so that nobody takes it for whole.
 */
export function sendStreamed(
  reply: FastifyReply,
  { parts, takeMs, onUntaken, onHeld }: StreamedAnswer,
): FastifyReply {
  const isGzip = takesGzip(reply.request.headers['accept-encoding']);
  // Each part leaves at once: whoever waits for an outcome must not wait for a full buffer.
  const coding: Transform = isGzip
    ? createGzip({ level: 4, flush: constants.Z_SYNC_FLUSH })
    : new PassThrough();
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const part of parts) {
        const bytes = Buffer.from(part);
        onHeld(bytes.length);
        const timer = setTimeout(() => {
          onUntaken();
          reply.raw.socket?.destroy();
        }, takeMs);
        try {
          yield bytes;
        } finally {
          clearTimeout(timer);
        }
      }
    } catch (error) {
      await taken(coding, reply.raw);
      throw error;
    } finally {
      onHeld(0);
    }
  };
  const source = Readable.from(watched(), { objectMode: false, highWaterMark: 16_384 });
  // What goes wrong reaches `coding`, which Fastify watches.
  pipeline(source, coding, () => undefined);
  return reply
    .headers({ vary: 'accept-encoding', ...(isGzip ? { 'content-encoding': 'gzip' } : {}) })
    .send(coding);
}

/** Resolves when the kernel has all that was made, or it takes too long. */
async function taken(coding: Transform, response: ServerResponse): Promise<void> {
  const deadline = performance.now() + lastWordsMs;
  const isTaken = (): boolean =>
    coding.writableLength === 0 && coding.readableLength === 0 && response.writableLength === 0;
  while (!isTaken() && performance.now() < deadline) await delay(10);
}

/** The parts, once the first of them is there: what goes wrong before it can still be answered as any request. */
export async function begun(parts: AsyncGenerator<string>): Promise<AsyncGenerator<string>> {
  const first = await parts.next();
  return (async function* () {
    if (first.done !== true) yield first.value;
    yield* parts;
  })();
}

/** Does something once the answer has ended or its connection is gone, which it may be already. */
export function whenClosed(response: ServerResponse, done: () => void): void {
  if (response.closed) done();
  else response.once('close', done);
}

/** Whether the header asks for gzip. Source: RFC 9110 12.5.3. */
export function takesGzip(acceptEncoding: string | readonly string[] | undefined): boolean {
  const codings = new Map(
    String(acceptEncoding ?? '')
      .toLowerCase()
      .split(',')
      .map((part) => {
        const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim());
        const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
        return [name, Number(quality)] as const;
      }),
  );
  return (codings.get('gzip') ?? codings.get('x-gzip') ?? codings.get('*') ?? 0) > 0;
}
