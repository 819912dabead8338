import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Server } from './server.ts';

/** Most requests of one connection that wait behind the one that is being answered. */
export const maxWaitingRequests = 64;

/** One connection: which of its requests is worked on, and which wait. */
interface Line {
  /** Of the last request that was begun. */
  response: ServerResponse;
  isBusy: boolean;
  readonly waiting: (() => void)[];
  /** Nothing more is begun than what waits already: behind the last of it the connection ends. */
  isEnding: boolean;
}

/**
 * Works on one request of a connection at a time, and on each in a turn of the event loop of its own: a caller who sends hundreds without waiting for an answer (pipelining,
 * RFC 9112 9.3.2) would else have all of them begun in the turn in which they arrive, and everybody else wait for them. Whoever sends more than `maxWaitingRequests` ahead gets the answers to those, the last with
 * `Connection: close`, and sends the rest again, as that rule wants. Behind an answer
 * that ended the connection nothing more of it is begun (RFC 9112 9.6), and neither where the caller has gone: nobody would hear what became of it.
 */
export class ConnectionTurns {
  readonly #lines = new WeakMap<Socket, Line>();

  /** **Order**: the first hook, before anything that costs time or counts. */
  register(app: Server): void {
    app.addHook('onRequest', ({ raw }, reply, done) => {
      const line = this.#lines.get(raw.socket);
      if (line === undefined) {
        const first = { response: reply.raw, isBusy: false, waiting: [], isEnding: false };
        this.#lines.set(raw.socket, first);
        begin(first, reply.raw, done);
      } else if (!line.isBusy) begin(line, reply.raw, done);
      else if (line.waiting.length < maxWaitingRequests && !line.isEnding)
        line.waiting.push(() => begin(line, reply.raw, done));
      // Never begun, so never answered: Node ends the connection behind the last answer.
      else line.isEnding = true;
    });
  }

  /**
   * What becomes of bytes that are no HTTP: `answer` them with a refusal, where nothing else is to be answered, or the request that they belong to is not; `nothing`, where whole requests came before
   * them, whose answers the caller would take the refusal for, so that those are given and the connection ends; `cut`, where their request has its answer.
   */
  broken(socket: Socket): 'answer' | 'nothing' | 'cut' {
    const line = this.#lines.get(socket);
    if (line === undefined) return 'answer';
    const { response } = line;
    if (!response.req.complete) return response.headersSent ? 'cut' : 'answer';
    if (!line.isBusy) return 'answer';
    line.isEnding = true;
    if (line.waiting.length === 0) endBehind(response, socket);
    return 'nothing';
  }
}

function begin(line: Line, response: ServerResponse, done: () => void): void {
  line.isBusy = true;
  line.response = response;
  if (line.isEnding && line.waiting.length === 0) response.setHeader('connection', 'close');
  response.once('close', () => {
    const next = line.waiting.shift();
    if (next === undefined) line.isBusy = false;
    else setImmediate(() => (response.req.socket.writable ? next() : line.waiting.splice(0)));
  });
  done();
}

function endBehind(response: ServerResponse, socket: Socket): void {
  if (response.headersSent) response.once('close', () => socket.destroy());
  else response.setHeader('connection', 'close');
}
