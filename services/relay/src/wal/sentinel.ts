import pg from 'pg';
import { RelayError } from '../errors.ts';
import { clientConfig, type ConnectionSettings } from './connection-config.ts';
import { isServerStopping, toSourceError } from './source-errors.ts';

/** A question that takes longer is given up: the server hangs, and whoever asked must not hang with it. */
const questionTimeoutMs = 5000;

/**
 * One ordinary connection that stays open beside the stream, for questions, and to hear at once that the server stops: a server that
 * stops ends ordinary connections first and waits for the stream, which can't hear it while back-pressure holds its socket full.
 * Lost for another reason, it comes back with the next question.
 */
export class Sentinel {
  readonly #settings: ConnectionSettings;
  readonly #onServerStopping: (reason: RelayError) => void;
  #client: pg.Client | undefined;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    settings: ConnectionSettings,
    onServerStopping: (reason: RelayError) => void,
  ) {
    this.#settings = settings;
    this.#onServerStopping = onServerStopping;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Opens it. `onServerStopping` may come at any time after.
   * @throws RelayError SOURCE_* if there is no connection to be had.
   */
  static async open(
    settings: ConnectionSettings,
    onServerStopping: (reason: RelayError) => void,
  ): Promise<Sentinel> {
    const sentinel = new Sentinel(settings, onServerStopping);
    await sentinel.#connected();
    return sentinel;
  }

  /**
   * Asks, one question after the other.
   * @throws RelayError SOURCE_* if the server can't be asked or refuses.
   */
  async ask<T>(doing: string, question: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const answer = this.#last.then(async () => {
      try {
        return await question(await this.#connected());
      } catch (thrown) {
        // While a question is open the server's farewell comes as its answer.
        if (isServerStopping(thrown)) this.#stopping(thrown);
        const error = toSourceError(thrown, 'check', doing);
        // After a question that was given up, a late answer must not be taken for the next one's.
        if (error.code === 'SOURCE_CONNECTION_LOST') this.#drop();
        throw error;
      }
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Never rejects, waits for nothing. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    if (this.#isClosed)
      throw new RelayError('SOURCE_CONNECTION_LOST', 'the connection for questions was closed');
    const client = await connect(this.#settings, { query_timeout: questionTimeoutMs });
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, undefined));
    if (this.#isClosed) {
      destroy(client);
      throw new RelayError('SOURCE_CONNECTION_LOST', 'the connection for questions was closed');
    }
    this.#client = client;
    return client;
  }

  #lost(client: pg.Client, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    destroy(client);
    if (isServerStopping(error)) this.#stopping(error);
  }

  #stopping(error: unknown): void {
    if (!this.#isClosed)
      this.#onServerStopping(toSourceError(error, 'stream', 'Postgres is stopping'));
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) destroy(client);
  }
}

/**
 * An open ordinary connection; whoever gets it listens to its errors and destroys it.
 * @throws RelayError SOURCE_*
 */
export async function connect(
  settings: ConnectionSettings,
  more: pg.ClientConfig = {},
): Promise<pg.Client> {
  let client: pg.Client | undefined;
  try {
    // It reads the files of certificates that the URL names.
    client = new pg.Client({ ...clientConfig(settings), ...more });
    // Without a listener, an error of an idle connection would end the process.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  } catch (thrown) {
    if (client) destroy(client);
    throw toSourceError(thrown, 'connect', 'connecting to Postgres');
  }
}

/** Ends a connection without waiting for the server, which may hang. The driver's `end` resolves when the socket is gone; nobody waits. */
export function destroy(client: pg.Client): void {
  client.end().catch(() => undefined);
  streamOf(client).destroy();
}

/** The socket below a connection, plain or TLS. */
export function streamOf(client: pg.Client): pg.Connection['stream'] {
  return client.connection.stream;
}
