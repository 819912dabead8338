import type { Socket } from 'node:net';
import { ApiError } from '../errors.ts';
import { StreamPlaces, type StreamLimits } from './stream-places.ts';

export interface StreamSettings extends StreamLimits {
  /** Longest time of an export: its snapshot holds back vacuum meanwhile. */
  readonly exportTimeoutMs: number;
  /** Longest silence of a sender, and longest time for a part of an answer to be taken. */
  readonly requestTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

/** What holds for all streams of a server. */
export class Streams {
  readonly places: StreamPlaces;
  readonly silenceMs: number;
  readonly takeMs: number;
  readonly #exportTimeoutMs: number;
  readonly #sockets = new WeakSet<Socket>();
  #isClosing = false;

  constructor(settings: StreamSettings) {
    this.places = new StreamPlaces(settings);
    this.silenceMs = settings.requestTimeoutMs;
    this.takeMs = settings.answerTimeoutMs;
    this.#exportTimeoutMs = settings.exportTimeoutMs;
  }

  /** From now on streams end at the next place where they can be taken up again. */
  close(): void {
    this.#isClosing = true;
  }

  /** @throws ApiError SHUTTING_DOWN */
  assertOpen(): void {
    if (this.#isClosing)
      throw new ApiError(
        'SHUTTING_DOWN',
        'This instance is stopping. What was answered so far is done; go on with another request.',
        { retryAfterSeconds: 1 },
      );
  }

  /** Gives what tells an export that it has to end. */
  watchExport(): () => void {
    const deadline = performance.now() + this.#exportTimeoutMs;
    return () => {
      this.assertOpen();
      if (performance.now() > deadline)
        throw new ApiError(
          'UNAVAILABLE',
          `The export took longer than ${this.#exportTimeoutMs} ms, which is as long as its snapshot may be held. Go on with the last id that came as \`after\`.`,
        );
    };
  }

  /** Exempts a connection from the time in which a request has to arrive whole, for as long as its body is read as a stream. Gives what ends it. */
  exempt(socket: Socket): () => void {
    this.#sockets.add(socket);
    return () => this.#sockets.delete(socket);
  }

  isExempt(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }
}
