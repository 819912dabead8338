import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const leash = new URL('leash.js', import.meta.url).href;
const repository = fileURLToPath(new URL('..', import.meta.url));

/** One line of a service's JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** How to start a service. */
export interface Launch {
  /** What it is called in messages. */
  readonly name: string;
  /** Its bundle, from the repository's root: `services/relay/dist/main.js`. */
  readonly entry: string;
  /** Its whole environment besides PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes both outputs, appended. */
  readonly logFile: string;
  /** More arguments for Node, before the entry. */
  readonly nodeArgs?: readonly string[];
}

interface Expectation {
  readonly matches: (line: LogLine) => boolean;
  readonly resolve: (line: LogLine) => void;
}

/**
 * A built service as a process of its own, as in production. It does not outlive this process (`leash.js`), and a Ctrl-C at the terminal
 * does not reach it: `stop` decides the order.
 */
export class Service {
  readonly name: string;
  /** Resolves with how it ended: `exit code 20`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #logFile: string;
  readonly #lastLines: string[] = [];
  readonly #expectations = new Set<Expectation>();
  #isStopping = false;
  #isRunning = true;

  constructor({ name, entry, env, logFile, nodeArgs = [] }: Launch) {
    this.name = name;
    this.#logFile = logFile;
    const args = ['--enable-source-maps', '--import', leash, ...nodeArgs, entry];
    this.#child = spawn(process.execPath, args, {
      cwd: repository,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    // The pipe breaks when the service ends, which `ended` tells.
    this.#child.stdin.on('error', () => undefined);
    const log = createWriteStream(logFile, { flags: 'a' });
    // A full disk must not end the demo; the log is then short.
    log.on('error', () => undefined);
    this.#child.stdout.pipe(log, { end: false });
    this.#child.stderr.pipe(log, { end: false });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.#take(line));
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
      // "close" and not "exit": the last lines have been read by then.
      this.#child.once('close', (code, signal) => resolve(signal ?? `exit code ${code ?? '?'}`));
    }).then((how) => {
      this.#isRunning = false;
      log.end();
      return how as string;
    });
  }

  /** True once `stop` was asked for: its end is then no failure. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** @throws Error if it did not start. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} did not start`);
    return pid;
  }

  /** The next log line that matches. @throws Error with the last lines of its log if it ends before. */
  async logged(matches: (line: LogLine) => boolean): Promise<LogLine> {
    const line = new Promise<LogLine>((resolve) => {
      this.#expectations.add({ matches, resolve });
    });
    const end = this.ended.then((how) => {
      throw this.failure(how);
    });
    return Promise.race([line, end]);
  }

  /** The lines that it has written last, as one text. */
  get output(): string {
    return this.#lastLines.join('\n');
  }

  /** What to tell the user when it ended and should not have. */
  failure(how: string): Error {
    return new Error(
      `${this.name} ended (${how}); its log, ${this.#logFile}, ends with:\n${this.#lastLines.slice(-6).join('\n')}`,
    );
  }

  /** Asks it to stop, and ends it after `timeoutMs` (12 s). Resolves when it is gone. Any number of times. */
  async stop(timeoutMs = 12_000): Promise<void> {
    this.#isStopping = true;
    if (!this.#isRunning) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    this.#child.kill('SIGTERM');
    await this.ended;
    clearTimeout(timer);
  }

  #take(text: string): void {
    this.#lastLines.push(text);
    if (this.#lastLines.length > 60) this.#lastLines.shift();
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      return;
    }
    for (const expectation of this.#expectations) {
      if (!expectation.matches(line)) continue;
      this.#expectations.delete(expectation);
      expectation.resolve(line);
    }
  }
}

/** Runs a command of a service to its end and gives its output. @throws Error with its last lines unless its exit code is 0. */
export async function runCommand(launch: Launch): Promise<string> {
  const command = new Service(launch);
  const how = await command.ended;
  if (how !== 'exit code 0') throw command.failure(how);
  return command.output;
}
