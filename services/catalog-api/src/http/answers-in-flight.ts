import type { ServerResponse } from 'node:http';
import { ApiError } from '../errors.ts';

/** Bounds of what is kept of answers. */
export interface AnswerLimits {
  /** Most bytes of answers that are made and not taken yet, over all connections. */
  readonly answersInFlightBytes: number;
  /** Longest time for an answer to be taken whole. */
  readonly answerTimeoutMs: number;
}

/** For so long nobody's answer is ended for the sake of another caller. */
const graceMs = 1_000;

/** Longest time for an answer to be taken while more than half of the room is held. */
const hurriedTimeoutMs = 5_000;

/**
 * The answers that are made and that nobody has taken whole yet (I9). A caller who asks and does not read holds memory of ours: so it has an end in time,
 * and all of them together in bytes. Pages are refused while there is no room, but to whoever holds less than another caller: his room is made by ending the oldest answers of the one who holds the most; what else only reads is small, and has as much room again; a change is made all the same, and its answer is counted.
 */
export class AnswersInFlight {
  readonly #limits: AnswerLimits;
  readonly #nowMs: () => number;
  readonly #held = new Map<
    ServerResponse,
    { readonly bytes: number; readonly sinceMs: number; readonly caller: string }
  >();
  #bytes = 0;

  constructor(limits: AnswerLimits, nowMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Makes room for a page of this caller, where it is others who hold the most.
   * @throws ApiError OVERLOADED if there is no room for a page of so many bytes.
   */
  assertRoomForPage(bytes: number, caller: string): void {
    while (!this.#hasRoomFor(bytes)) if (!this.#endOneOfTheLargest(bytes, caller)) refuse();
  }

  /** @throws ApiError OVERLOADED if there is no room for small answers either. */
  assertRoom(): void {
    if (this.#bytes >= 2 * this.#limits.answersInFlightBytes) refuse();
  }
  /** Counts the answer until it is taken or its connection is gone; a second count takes the place of the first. */
  hold(response: ServerResponse, bytes: number, caller: string): void {
    const before = this.#held.get(response);
    this.#bytes += bytes - (before?.bytes ?? 0);
    this.#held.set(response, { bytes, sinceMs: before?.sinceMs ?? this.#nowMs(), caller });
    if (before === undefined) response.once('close', () => this.#release(response));
  }

  /** Ends connections whose answer was not taken in time, and gives how many. To be called about every second. */
  endUntaken(): number {
    const { answersInFlightBytes, answerTimeoutMs } = this.#limits;
    const isHurried = this.#bytes * 2 > answersInFlightBytes;
    const timeoutMs = isHurried ? Math.min(hurriedTimeoutMs, answerTimeoutMs) : answerTimeoutMs;
    let ended = 0;
    for (const [response, { sinceMs }] of this.#held) {
      const { socket } = response.req;
      // An answer behind another one of its connection hears of the connection's end from nobody.
      if (socket.destroyed) this.#release(response);
      else if (this.#nowMs() - sinceMs >= timeoutMs) {
        ended += 1;
        socket.destroy();
        this.#release(response);
      }
    }
    return ended;
  }

  #hasRoomFor(bytes: number): boolean {
    // Alone it always has room: else one that is larger than all of it could never be had.
    return this.#bytes === 0 || this.#bytes + bytes <= this.#limits.answersInFlightBytes;
  }

  /** Ends the oldest answer of the caller who holds the most, if that is more than this one would hold. @returns whether there is more room now. */
  #endOneOfTheLargest(bytes: number, caller: string): boolean {
    const byCaller = new Map<string, number>();
    for (const held of this.#held.values())
      byCaller.set(held.caller, (byCaller.get(held.caller) ?? 0) + held.bytes);
    const largest = [...byCaller].reduce(
      (most, each) => (each[1] > most[1] ? each : most),
      ['', 0],
    );
    if (largest[0] === caller || largest[1] <= (byCaller.get(caller) ?? 0) + bytes) return false;
    // In the order in which they were begun.
    for (const [response, { sinceMs, caller: holder }] of this.#held) {
      if (holder !== largest[0]) continue;
      if (this.#nowMs() - sinceMs < graceMs) return false;
      response.req.socket.destroy();
      this.#release(response);
      return true;
    }
    return false;
  }

  #release(response: ServerResponse): void {
    this.#bytes -= this.#held.get(response)?.bytes ?? 0;
    this.#held.delete(response);
  }
}

function refuse(): never {
  throw new ApiError(
    'OVERLOADED',
    'Too many answers wait to be taken by their callers. Nothing was done; try again.',
    { retryAfterSeconds: 1 },
  );
}
