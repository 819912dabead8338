import pg from 'pg';
import { limitSilence } from './silence-limit.ts';
import { ApiError } from './errors.ts';

type ConnectCallback = Parameters<pg.Pool['connect']>[0];

/**
 * A pool whose queue has an end: when more requests wait for a connection than it holds, the next is refused at once instead of
 * waiting for a timeout behind all the others. pg's own pool queues without a bound. A connection that falls silent
 * while it is in use is ended (`limitSilence`).
 */
export class BoundedPool extends pg.Pool {
  readonly #maxWaiting: number;
  readonly #silenceMs: number;

  constructor(
    config: pg.PoolConfig,
    limits: {
      /** Most requests that wait for a connection. */
      readonly maxWaiting: number;
      /** See `limitSilence`. */
      readonly silenceMs: number;
    },
  ) {
    super(config);
    this.#maxWaiting = limits.maxWaiting;
    this.#silenceMs = limits.silenceMs;
  }

  /** @throws ApiError OVERLOADED */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    // A request only queues when no connection is idle and none may be opened.
    const mustWait = this.idleCount === 0 && this.totalCount >= this.options.max;
    if (mustWait && this.waitingCount >= this.#maxWaiting) {
      const error = new ApiError(
        'OVERLOADED',
        'Too many requests wait for the database. Nothing was written; try again.',
        { retryAfterSeconds: 1 },
      );
      if (callback === undefined) return Promise.reject(error);
      callback(error, undefined, () => undefined);
      return;
    }
    if (callback === undefined) return this.#connect();
    // `pool.query` comes here.
    super.connect((error, client, done) => {
      if (client === undefined) return callback(error, client, done);
      limitSilence(client, this.#silenceMs);
      callback(error, client, (broken?: boolean | Error) => client.release(broken));
    });
  }

  async #connect(): Promise<pg.PoolClient> {
    const client = await super.connect();
    limitSilence(client, this.#silenceMs);
    return client;
  }
}
