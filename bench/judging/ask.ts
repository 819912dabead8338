import { request, type Agent } from 'node:http';
import { Buffer } from 'node:buffer';

/** One request of a caller. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly token?: string | undefined;
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came of it. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly etag: string | undefined;
      readonly text: string;
    }
  /** A connection that had been used before ended without a byte of an answer: it was closed as idle while the request was on its way, which every client of HTTP/1.1 meets (RFC 9112 9.3.1). Whether it was done nobody said. */
  | { readonly kind: 'closed-idle' }
  /** Not a byte of an answer on a new connection, or none in time: nobody was there. */
  | { readonly kind: 'no-answer'; readonly why: string }
  /** Half an answer. */
  | { readonly kind: 'broken'; readonly why: string };

const patienceMs = 30_000;

/** Sends a request and takes the whole answer. Never throws: what goes wrong is the reply. */
export function ask(agent: Agent, port: number, question: Question): Promise<Reply> {
  const { method, path, token, body, headers = {} } = question;
  return new Promise((resolve) => {
    const failed = (kind: 'broken' | 'no-answer', why: string) =>
      resolve({ kind, why: `${method} ${path}: ${why}` });
    const call = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', (error) => failed('broken', `half an answer, ${error.message}`));
        response.on('end', () =>
          response.complete
            ? resolve({
                kind: 'answer',
                status: response.statusCode ?? 0,
                etag: response.headers.etag,
                text: Buffer.concat(chunks).toString(),
              })
            : failed('broken', 'half an answer'),
        );
      },
    );
    call.setTimeout(patienceMs, () => call.destroy(new Error(`no answer in ${patienceMs} ms`)));
    call.on('error', (error: NodeJS.ErrnoException) => {
      const isEnd = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      if (isEnd && call.reusedSocket) resolve({ kind: 'closed-idle' });
      else failed('no-answer', error.message);
    });
    call.end(body);
  });
}
