import { ApiError } from '../errors.ts';

export type StreamKind = 'import' | 'export';

/** How many streams there may be at a time. */
export interface StreamLimits {
  readonly maxImports: number;
  readonly maxExports: number;
}

/** The place of one stream. */
export interface StreamPlace {
  /** Says how many bytes the stream keeps now of what was read and not written yet, or made and not sent, instead of those it said before. */
  readonly hold: (what: 'read' | 'made', bytes: number) => void;
  /** May be called again. */
  readonly leave: () => void;
}

/**
 * Bounds the streams that are under way (I9). A stream is as long as its caller likes and keeps some hundred kilobytes meanwhile, so their number is bounded, and one
 * caller has at most half of the places of a kind.
 */
export class StreamPlaces {
  readonly #limits: StreamLimits;
  readonly #places = { import: [] as (string | undefined)[], export: [] as (string | undefined)[] };
  #bytes = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /** Bytes that all of them keep. */
  get bytes(): number {
    return this.#bytes;
  }

  count(kind: StreamKind): number {
    return this.#places[kind].length;
  }

  /**
   * @param caller undefined where there are no callers to tell apart.
   * @throws ApiError OVERLOADED, TOO_MANY_REQUESTS
   */
  take(kind: StreamKind, caller: string | undefined): StreamPlace {
    const taken = this.#places[kind];
    const most = kind === 'import' ? this.#limits.maxImports : this.#limits.maxExports;
    const mostOfOne = Math.ceil(most / 2);
    if (caller !== undefined && taken.filter((one) => one === caller).length >= mostOfOne)
      throw new ApiError(
        'TOO_MANY_REQUESTS',
        `You have ${mostOfOne} ${kind}s under way, which is the most. Wait until one has ended.`,
        { retryAfterSeconds: 5 },
      );
    if (taken.length >= most)
      throw new ApiError(
        'OVERLOADED',
        `${most} ${kind}s are under way, which is the most. Nothing was done; try again.`,
        { retryAfterSeconds: 5 },
      );
    taken.push(caller);
    const own = { read: 0, made: 0 };
    let isThere = true;
    const hold: StreamPlace['hold'] = (what, bytes) => {
      if (!isThere) return;
      this.#bytes += bytes - own[what];
      own[what] = bytes;
    };
    return {
      hold,
      leave: () => {
        hold('read', 0);
        hold('made', 0);
        if (isThere) taken.splice(taken.indexOf(caller), 1);
        isThere = false;
      },
    };
  }
}
