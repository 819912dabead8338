import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { ApiError } from '../errors.ts';
import type { ConnectionTurns } from './connection-turns.ts';
import { problemHeaders, problemKinds, toProblem } from './problem.ts';

/** What Node's HTTP parser refused, as an answer. Its message may quote bytes of the request, so it is left out. */
export function fromClientError(code: string | undefined): ApiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('HEADERS_TOO_LARGE', 'Request line and headers are larger than 16 KiB.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('REQUEST_TIMEOUT', 'The request did not arrive in time.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new ApiError('BODY_TOO_LARGE', 'The chunk extensions are too large.');
    default:
      return new ApiError('MALFORMED_REQUEST', 'This is not an HTTP/1.1 request.');
  }
}

/** The whole answer as bytes, for a connection on which no request came about; it is closed afterwards. */
export function rawAnswer(error: ApiError, flowId: string): string {
  const { status } = problemKinds[error.code];
  const body = JSON.stringify(toProblem(error, flowId));
  const headers = {
    ...problemHeaders(error),
    'content-length': String(Buffer.byteLength(body)),
    'x-flow-id': flowId,
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`;
}

/** Answers what the parser refused and closes the connection: after broken framing nobody knows where the next request begins. Requests that came whole before it are answered first. */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  { turns, newFlowId }: { readonly turns: ConnectionTurns; readonly newFlowId: () => string },
): void {
  // The caller is gone.
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  switch (turns.broken(socket)) {
    case 'nothing':
      return;
    case 'cut':
      return void socket.destroy();
    case 'answer':
      socket.end(rawAnswer(fromClientError(error.code), newFlowId()), () => socket.destroy());
  }
}
