import pg from 'pg';
import { ApiError } from './errors.ts';

type ConnectCallback = Parameters<pg.Pool['connect']>[0];

/**
 * A pool whose queue has an end: when more requests wait for a connection than it holds, the next is refused at once instead of
 * waiting for a timeout behind all the others. pg's own pool queues without a bound. `pool.query` goes through `connect` too.
 */
export class BoundedPool extends pg.Pool {
  readonly #maxWaiting: number;

  /** @param maxWaiting most requests that wait for a connection. */
  constructor(config: pg.PoolConfig, maxWaiting: number) {
    super(config);
    this.#maxWaiting = maxWaiting;
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
    if (callback === undefined) return super.connect();
    super.connect(callback);
  }
}
