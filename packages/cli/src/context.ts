import {
  EventTypesError,
  loadEventTypes,
  withTopicPrefix,
  type EventTypeRegistry,
} from '@outbound/contract';
import { eventTypes as builtIn } from '@outbound/schemas';
import {
  kafkaConnection,
  postgresConnection,
  type Environment,
  type KafkaConnection,
} from '@outbound/service-kit';
import pg from 'pg';
import { cliPrefix } from './cli-prefix.ts';
import type { CliSettings } from './cli-settings.ts';
import { confirm } from './console/confirm.ts';
import type { Output } from './console/output.ts';
import { CliError, exitCodes } from './exit-codes.ts';

/**
 * What a verb is given: settings, output, connections made when they are first asked for, and a signal that says stop.
 */
export class CliContext {
  readonly settings: CliSettings;
  readonly output: Output;
  /** Aborted by Ctrl-C and SIGTERM: end what runs, leave everything usable. */
  readonly signal: AbortSignal;
  readonly #env: Environment;
  readonly #closing: (() => Promise<unknown>)[] = [];
  #pool: Promise<pg.Pool> | undefined;

  constructor(parts: {
    readonly settings: CliSettings;
    readonly output: Output;
    readonly signal: AbortSignal;
    /** What the settings were read from. */
    readonly env: Environment;
  }) {
    this.settings = parts.settings;
    this.output = parts.output;
    this.signal = parts.signal;
    this.#env = parts.env;
  }

  /** To be done when the verb has ended, however it ended; last in, first out. */
  onClose(close: () => Promise<unknown>): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close().catch(() => undefined);
  }

  /** URL of the database. @throws CliError SETTING_MISSING */
  databaseUrl(): string {
    return this.settings.databaseUrl ?? missing('DATABASE_URL', '--database-url');
  }

  /** A small pool, proved to be reachable. @throws CliError SETTING_MISSING, DATABASE_UNAVAILABLE */
  async database(): Promise<pg.Pool> {
    const opening = (this.#pool ??= this.#openPool());
    try {
      return await opening;
    } catch (error) {
      // The next one who asks tries again: `status --watch` sees a server come back.
      if (this.#pool === opening) this.#pool = undefined;
      throw error;
    }
  }

  /** How to reach the brokers. @throws CliError SETTING_MISSING; PipelineError CONFIG_INVALID */
  kafka(): KafkaConnection {
    const { kafkaBrokers } = this.settings;
    if (kafkaBrokers === undefined) return missing('KAFKA_BROKERS', '--brokers');
    return kafkaConnection(
      { ...this.settings, kafkaBrokers },
      {
        prefix: cliPrefix,
        env: this.#env,
      },
    );
  }

  /**
   * What the relay routes by, topics with their prefix: the event types of its module, or this repository's own.
   * @throws CliError EVENT_TYPES_INVALID
   */
  async eventTypes(): Promise<EventTypeRegistry> {
    const { eventTypes: path, topicPrefix } = this.settings;
    if (path === undefined) return withTopicPrefix(builtIn, topicPrefix);
    try {
      return withTopicPrefix(await loadEventTypes(path, `${cliPrefix}EVENT_TYPES`), topicPrefix);
    } catch (cause) {
      if (!(cause instanceof EventTypesError)) throw cause;
      throw new CliError('EVENT_TYPES_INVALID', cause.message, {
        exitCode: exitCodes.usage,
        cause,
      });
    }
  }

  /** Base URL of the catalog API, without a slash at its end. @throws CliError SETTING_MISSING */
  apiUrl(): string {
    return (this.settings.apiUrl ?? missing('API_URL', '--api-url')).replace(/\/+$/, '');
  }

  /** Asks before something is changed; see `confirm`. */
  async confirm(question: string, { yes }: { readonly yes: boolean }): Promise<void> {
    await confirm(question, {
      yes,
      input: process.stdin,
      output: process.stderr,
      signal: this.signal,
    });
  }

  async #openPool(): Promise<pg.Pool> {
    const pool = new pg.Pool({
      ...postgresConnection(this.databaseUrl()),
      max: 4,
      application_name: 'outbound-cli',
      connectionTimeoutMillis: 10_000,
    });
    // An idle connection that breaks is replaced; the next statement says so if the server is gone.
    pool.on('error', () => undefined);
    this.onClose(() => pool.end());
    try {
      await pool.query('select');
    } catch (cause) {
      throw new CliError(
        'DATABASE_UNAVAILABLE',
        `the database does not answer (${cause instanceof Error ? cause.message : String(cause)}): check that ` +
          `Postgres runs and what ${cliPrefix}DATABASE_URL says`,
        { exitCode: exitCodes.unavailable, cause },
      );
    }
    return pool;
  }
}

function missing(name: string, flag: string): never {
  throw new CliError(
    'SETTING_MISSING',
    `${cliPrefix}${name} is not set: set it, or say ${flag} (outbound --help)`,
    { exitCode: exitCodes.usage },
  );
}
