import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

/** One line of a service's JSON log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message?: string };

export interface ServiceExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly durationMs: number;
}

/**
 * A service as its own process, from its built bundle, as in production. Its log is kept and can be waited for. It never outlives the
 * test process: `close` kills it, and an exit hook does where a test was cut off.
 */
export class ServiceProcess implements AsyncDisposable {
  readonly logs: LogLine[] = [];
  readonly stderr: string[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #hasExited = false;

  constructor(
    entry: string,
    env: Readonly<Record<string, string>>,
    nodeArgs: readonly string[] = [],
    args: readonly string[] = [],
  ) {
    this.#child = spawn(process.execPath, [...nodeArgs, entry, ...args], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const killWithUs = () => this.#child.kill('SIGKILL');
    process.on('exit', killWithUs);
    this.#exited = new Promise((resolve) =>
      this.#child.on('exit', (code, signal) => {
        this.#hasExited = true;
        process.off('exit', killWithUs);
        resolve({ code, signal });
      }),
    );
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      try {
        this.logs.push(JSON.parse(line) as LogLine);
      } catch {
        this.stderr.push(line);
      }
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.stderr.push(line));
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('the process did not start');
    return pid;
  }

  get isRunning(): boolean {
    return !this.#hasExited;
  }

  /** The first log line with this message that `matches`, from now on or before. */
  async log(
    message: string,
    matches: (line: LogLine) => boolean = () => true,
    timeoutMs = 60_000,
  ): Promise<LogLine> {
    return eventually(
      () => {
        const line = this.logs.find((each) => each.message === message && matches(each));
        if (!line && this.#hasExited)
          throw new Error(`the process ended before it logged "${message}": ${this.tail()}`);
        return line;
      },
      { timeoutMs, intervalMs: 10 },
    );
  }

  /** The last lines of both outputs, for the message of a failing test. */
  tail(): string {
    return [
      ...this.logs.slice(-8).map((line) => JSON.stringify(line)),
      ...this.stderr.slice(-8),
    ].join('\n');
  }

  /** SIGSTOP: it stands still, its sockets stay open. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** SIGKILL, as a power cut would. Resolves when it is gone. */
  async kill(): Promise<ServiceExit> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM, as a supervisor would. Resolves when it is gone. */
  async terminate(): Promise<ServiceExit> {
    return this.#end('SIGTERM');
  }

  /** Resolves when it ends by itself. */
  async ended(): Promise<ServiceExit> {
    const startedMs = performance.now();
    return { ...(await this.#exited), durationMs: performance.now() - startedMs };
  }

  /** Resident memory now and at its peak, bytes. Linux. */
  memory(): { residentBytes: number; peakBytes: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kib = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN);
    return { residentBytes: kib('VmRSS') * 1024, peakBytes: kib('VmHWM') * 1024 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasExited) await this.kill();
  }

  async #end(signal: NodeJS.Signals): Promise<ServiceExit> {
    const startedMs = performance.now();
    this.#child.kill(signal);
    return { ...(await this.#exited), durationMs: performance.now() - startedMs };
  }
}
