import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { soakValue } from './soak-event.ts';

/** Counts the versions of the keys over all producers of a round. */
export class VersionCounter {
  readonly #versions = new Map<string, number>();

  next(key: string): number {
    const version = (this.#versions.get(key) ?? 0) + 1;
    this.#versions.set(key, version);
    return version;
  }
}

/**
 * Writes events through kcat, whose idempotent producer neither loses, doubles nor reorders what it was given, whatever the leaders do: so the topic's content can be
 * trusted, and it is nothing of ours.
 */
export class KcatProducer {
  readonly #child: ChildProcessByStdio<Writable, null, Readable>;
  readonly #exit: Promise<number | null>;
  readonly #stderr: Promise<string>;
  readonly #versions: VersionCounter;
  #isDraining: Promise<unknown> | undefined;

  constructor(bootstrap: readonly string[], topic: string, versions: VersionCounter) {
    this.#versions = versions;
    const child = spawn(
      'kcat',
      [
        ...['-b', bootstrap.join(','), '-P', '-t', topic, '-K', ' ', '-q'],
        ...['-X', 'enable.idempotence=true', '-X', 'message.timeout.ms=900000'],
        ...['-X', 'topic.partitioner=murmur2_random', '-X', 'linger.ms=5'],
      ],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    this.#child = child;
    child.stdin.on('error', () => undefined);
    this.#stderr = text(child.stderr);
    this.#exit = new Promise((resolve) => child.on('exit', resolve));
  }

  /** Writes the next version of each key. Resolves when more may be written. */
  async write(keys: readonly string[]): Promise<void> {
    await this.#isDraining;
    const lines = keys.map((key) => `${key} ${soakValue(key, this.#versions.next(key))}\n`);
    if (!this.#child.stdin.write(lines.join('')))
      this.#isDraining = Promise.race([once(this.#child.stdin, 'drain'), this.#exit]);
  }

  /** Resolves when everything is acknowledged. @throws Error with what kcat said, if it is not. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exit;
    if (code !== 0) throw new Error(`kcat -P ended with code ${code}: ${await this.#stderr}`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
