import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ApiError } from '../errors.ts';

/** How long what still comes is thrown away after an early answer: a connection that is closed while its caller sends takes the answer with it. */
const longestLingerMs = 5_000;

/** The body of a request as it comes, decompressed; nothing is read that nobody asks for. */
export interface StreamedBody {
  readonly bytes: AsyncIterable<Buffer>;
  /** To be called when no more is read. What still comes is thrown away for some seconds, then the connection is ended. */
  readonly end: () => void;
}

/**
 * Reads a body piece by piece. How large it is does not matter, nor how far it expands: a piece is small, and the next one is made when it is asked for.
 * @param silenceMs longest time without a byte while somebody waits for one.
 * @throws ApiError, from `bytes`: REQUEST_TIMEOUT; MALFORMED_REQUEST if the body broke off or is no gzip.
 */
export function streamedBody(
  request: IncomingMessage,
  { isGzip, silenceMs }: { readonly isGzip: boolean; readonly silenceMs: number },
): StreamedBody {
  const decoded: Transform = isGzip ? createGunzip() : new PassThrough();
  const brokeOff = (cause?: Error): void => {
    decoded.destroy(
      new ApiError('MALFORMED_REQUEST', 'The body broke off before its end.', { cause }),
    );
  };
  let lastByteMs = performance.now();
  request.on('data', () => (lastByteMs = performance.now()));
  request.on('error', brokeOff);
  // Whoever reads hears of it; where nobody reads any more it is no news.
  decoded.on('error', () => undefined);
  request.once('close', () => {
    if (!request.complete) brokeOff();
  });
  request.pipe(decoded);
  return {
    bytes: pieces(decoded, () => lastByteMs, silenceMs),
    end: () => {
      request.unpipe(decoded);
      decoded.destroy();
      if (request.complete) {
        request.resume();
        return;
      }
      const timer = setTimeout(
        () => request.socket.destroy(),
        Math.min(longestLingerMs, silenceMs),
      );
      request.once('end', () => clearTimeout(timer));
      request.once('close', () => clearTimeout(timer));
      request.resume();
    },
  };
}

async function* pieces(
  decoded: Readable,
  lastByteMs: () => number,
  silenceMs: number,
): AsyncGenerator<Buffer> {
  const iterator = decoded[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = async (): Promise<IteratorResult<Buffer>> => {
    const waitsSinceMs = performance.now();
    const watch = setInterval(
      () => {
        // While nobody wanted a byte there was no silence.
        if (performance.now() - Math.max(lastByteMs(), waitsSinceMs) < silenceMs) return;
        decoded.destroy(
          new ApiError(
            'REQUEST_TIMEOUT',
            `Nothing came for ${silenceMs} ms, and the body has no end yet.`,
          ),
        );
      },
      Math.min(1_000, silenceMs / 4),
    );
    try {
      return await iterator.next();
    } catch (error) {
      throw asBodyError(error);
    } finally {
      clearInterval(watch);
    }
  };
  for (let piece = await next(); piece.done !== true; piece = await next()) yield piece.value;
}

/** What zlib says of a broken body. */
function asBodyError(error: unknown): unknown {
  const { code } = error as { readonly code?: unknown };
  if (
    typeof code === 'string' &&
    (code.startsWith('Z_') || code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END')
  )
    return new ApiError('MALFORMED_REQUEST', 'The body is not gzip, or broke off before its end.', {
      cause: error,
    });
  return error;
}
