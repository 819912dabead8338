import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../errors.ts';

interface Body {
  bytes: number;
  isArriving: boolean;
}

/**
 * The bodies that have come, whole or in part, and whose requests are not answered yet (I9): two hundred callers who send almost all of a batch and wait would else keep
 * two hundred batches of ours. When they are too many bytes, the largest that is still arriving is refused: whoever sends little is never it.
 */
export class BodiesInFlight {
  readonly #maxBytes: number;
  readonly #bodies = new Map<IncomingMessage, Body>();
  #bytes = 0;

  /** @param maxBytes most bytes of bodies, over all connections. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts the body as it arrives. **Order**: in the turn in which its reader begins, since the bytes begin to flow in the next one. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const body = { bytes: 0, isArriving: true };
    this.#bodies.set(request, body);
    request.on('data', (chunk: Buffer) => {
      // Refused meanwhile: nobody keeps what still comes.
      if (!this.#bodies.has(request)) return;
      body.bytes += chunk.length;
      this.#bytes += chunk.length;
      while (this.#bytes > this.#maxBytes && this.#refuseLargest());
    });
    request.once('end', () => (body.isArriving = false));
    response.once('close', () => this.#forget(request));
  }

  /** @returns false if there is none that could be refused. */
  #refuseLargest(): boolean {
    let largest: IncomingMessage | undefined;
    let most = -1;
    for (const [request, { bytes, isArriving }] of this.#bodies)
      if (isArriving && bytes > most) [largest, most] = [request, bytes];
    if (largest === undefined) return false;
    this.#forget(largest);
    const refusal = new ApiError(
      'OVERLOADED',
      'Too many bodies are under way, and this is the largest. Nothing was written; try again, or send less at a time.',
      { retryAfterSeconds: 1, headers: { connection: 'close' } },
    );
    // Whoever reads the body answers with it; nobody does where the head was refused already.
    if (largest.listenerCount('error') > 0) largest.emit('error', refusal);
    else largest.destroy();
    return true;
  }

  #forget(request: IncomingMessage): void {
    this.#bytes -= this.#bodies.get(request)?.bytes ?? 0;
    this.#bodies.delete(request);
  }
}
