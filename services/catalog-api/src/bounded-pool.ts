import type { TransactionTimeouts } from '@outbound/outbox';
import pg from 'pg';
import { limitSilence } from './silence-limit.ts';
import { ApiError } from './errors.ts';

type ConnectCallback = Parameters<pg.Pool['connect']>[0];

/** What a pool holds its connections and their users to. */
export interface PoolLimits {
  /** Most requests that wait for a connection. */
  readonly maxWaiting: number;
  /** See `limitSilence`. */
  readonly silenceMs: number;
  /** What the server ends by itself. */
  readonly timeouts: Required<TransactionTimeouts>;
  /** Told once, when it is found out that connections do not keep the timeouts. */
  readonly onPooler: () => void;
}

/**
 * A pool whose queue has an end: when more requests wait for a connection than it holds, the next is refused at once instead of
 * waiting for a timeout behind all the others. pg's own pool queues without a bound. A connection that falls silent
 * while it is in use is ended (`limitSilence`).
 *
 * Timeouts are set when a connection is opened, which costs nothing afterwards. A pooler between us and the server (PgBouncer) refuses that, or takes it and drops it, since
 * its connections belong to nobody: then they have to go with each transaction, see `transactionTimeouts`. Connections that keep them keep `read committed`, too, whatever the default of database or role is.
 */
export class BoundedPool extends pg.Pool {
  readonly #limits: PoolLimits;
  /** Undefined until the first connection has shown it. */
  #keepsTimeouts: boolean | undefined;
  readonly #seen = new WeakSet<pg.PoolClient>();
  readonly #inUse = new Set<pg.PoolClient>();
  #isCut = false;

  constructor(config: pg.PoolConfig, limits: PoolLimits) {
    super({ ...config, ...limits.timeouts });
    this.#limits = limits;
    this.on('acquire', (client) => this.#inUse.add(client));
    this.on('release', (_error, client) => this.#inUse.delete(client));
  }

  /** Breaks the connections that are in use and gives no more: whoever waits for a statement has an error now, and not when the server's timeout comes. For a stop, when nobody waits for an answer any more. */
  cut(): void {
    this.#isCut = true;
    for (const client of this.#inUse) client.connection.stream.destroy();
  }

  /**
   * The timeouts that have to go with each transaction; undefined where the connections keep them.
   * @throws what opening the first connection throws
   */
  async transactionTimeouts(): Promise<TransactionTimeouts | undefined> {
    if (this.#keepsTimeouts === undefined) (await this.connect()).release();
    return this.#keepsTimeouts === true ? undefined : this.#limits.timeouts;
  }

  /**
   * Opens as many connections as the pool may have, all at once, and gives them back. Whoever asks for one while all are in use would else wait until another is open, which on a busy machine takes longer than
   * a request may wait, even where one is given back meanwhile.
   * @throws what opening throws, if none could be had: a server that gives fewer is worked with.
   */
  async open(): Promise<void> {
    // Whoever asks gets an idle one first: so as many more have to ask.
    const missing = this.options.max - this.totalCount + this.idleCount;
    const opening = Array.from({ length: missing }, async () => (await this.connect()).release());
    const outcomes = await Promise.allSettled(opening);
    const failed = outcomes.find((each) => each.status === 'rejected');
    if (failed !== undefined && outcomes.every(({ status }) => status === 'rejected'))
      throw failed.reason;
  }

  /** @throws ApiError OVERLOADED */
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const connected = this.#connect();
    if (callback === undefined) return connected;
    // `pool.query` comes here.
    connected.then(
      (client) => callback(undefined, client, (broken?: boolean | Error) => client.release(broken)),
      (error: Error) => callback(error, undefined, () => undefined),
    );
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.#isCut)
      throw new ApiError('SHUTTING_DOWN', 'This instance is stopping. Nothing was written.', {
        retryAfterSeconds: 1,
      });
    // A request only queues when no connection is idle and none may be opened.
    const mustWait = this.idleCount === 0 && this.totalCount >= this.options.max;
    if (mustWait && this.waitingCount >= this.#limits.maxWaiting)
      throw new ApiError(
        'OVERLOADED',
        'Too many requests wait for the database. Nothing was written; try again.',
        { retryAfterSeconds: 1 },
      );
    const client = await this.#open();
    limitSilence(client, this.#limits.silenceMs);
    if (this.#seen.has(client)) return client;
    try {
      if (this.#keepsTimeouts !== false) {
        const { hasTimeouts, isolation } = await this.#settingsOf(client);
        if (hasTimeouts) {
          if (isolation !== 'read committed') await client.query(readCommitted);
          this.#keepsTimeouts ??= true;
        } else this.#meetPooler();
      }
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#seen.add(client);
    return client;
  }

  async #open(): Promise<pg.PoolClient> {
    try {
      return await super.connect();
    } catch (error) {
      if (this.#keepsTimeouts === false || !refusesStartup(error)) throw error;
      this.#meetPooler();
      return super.connect();
    }
  }

  /** From now on no connection is opened with timeouts. */
  #meetPooler(): void {
    if (this.#keepsTimeouts === false) return;
    this.#keepsTimeouts = false;
    for (const name of Object.keys(this.#limits.timeouts))
      Object.assign(this.options, { [name]: undefined });
    this.#limits.onPooler();
  }

  /** A pooler that was told to ignore what it does not know says nothing: the server has to be asked. */
  async #settingsOf(client: pg.PoolClient): Promise<{ hasTimeouts: boolean; isolation: string }> {
    const wanted = Object.entries(this.#limits.timeouts).map(
      ([name, ms]) => `(${pg.escapeLiteral(name)}, '${ms}')`,
    );
    const { rows } = await client.query<{ kept: number; isolation: string }>(
      `select count(*)::int as kept, current_setting('default_transaction_isolation') as isolation
        from pg_settings where (name, setting) in (${wanted.join(', ')})`,
    );
    const [{ kept, isolation } = { kept: 0, isolation: '' }] = rows;
    return { hasTimeouts: kept === wanted.length, isolation };
  }
}

/**
 * What every transaction says of itself (`transactionOptions`), and a statement that is one by itself cannot: whoever has waited for a lock looks behind it in a snapshot from before, and a product keeps a
 * category that was deleted meanwhile.
 */
const readCommitted = "set default_transaction_isolation = 'read committed'";

/** PgBouncer: `unsupported startup parameter: statement_timeout`. */
function refusesStartup(error: unknown): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return code === '08P01' && typeof message === 'string' && /startup parameter/.test(message);
}
