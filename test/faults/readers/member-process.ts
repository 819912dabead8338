import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';
import { ServiceProcess } from '../../support/service-process.ts';
import { readHandled, type Handling } from './handled-file.ts';

/** What a member process is told. */
export interface MemberSetting {
  /** Root of the repository whose packages are under test. */
  readonly root: string;
  readonly bootstrap: readonly string[];
  readonly group: string;
  readonly topic: string;
  /** Where it writes what it handles. */
  readonly file: string;
  readonly form: 'single' | 'batches';
  /** How long a handler waits before it is done, as one that writes into a database. */
  readonly handlerMs: number;
  readonly sessionTimeoutMs: number;
}

/** What a member says when it is told of a version gap. */
export const versionGapMessage = 'versions are missing';

const entry = fileURLToPath(new URL('member-main.ts', import.meta.url));

/** The members of one group over a round: each a process with a file of its own. One that ends by itself is replaced. */
export class Members {
  readonly #setting: Omit<MemberSetting, 'file'>;
  readonly #folder: string;
  readonly #all: { readonly process: ServiceProcess; readonly file: string }[] = [];
  readonly #expected = new Set<ServiceProcess>();

  constructor(folder: string, setting: Omit<MemberSetting, 'file'>) {
    this.#folder = folder;
    this.#setting = setting;
  }

  /** Those that have not ended, oldest first. */
  get running(): readonly ServiceProcess[] {
    return this.#all.map((each) => each.process).filter((each) => each.isRunning);
  }

  /** Those that ended without being told to, with the end of what they said. */
  get crashed(): readonly string[] {
    return this.#all
      .map((each) => each.process)
      .filter((each) => !each.isRunning && !this.#expected.has(each))
      .map((each) => each.tail());
  }

  start(): ServiceProcess {
    const file = join(this.#folder, `member-${this.#all.length}.txt`);
    const setting: MemberSetting = { ...this.#setting, file };
    const process = new ServiceProcess(
      entry,
      { HOME: '/nonexistent' },
      ['--import', 'tsx'],
      [JSON.stringify(setting)],
    );
    this.#all.push({ process, file });
    this.#replaceIfItEnds(process).catch(() => undefined);
    return process;
  }

  /** As a supervisor would. */
  async #replaceIfItEnds(process: ServiceProcess): Promise<void> {
    await process.ended();
    if (!this.#expected.has(process)) this.start();
  }

  async kill(member: ServiceProcess): Promise<void> {
    this.#expected.add(member);
    await member.kill();
  }

  /** In order, and by force after a minute. */
  async stop(member: ServiceProcess): Promise<void> {
    this.#expected.add(member);
    const limit = setTimeout(() => {
      member.kill().catch(() => undefined);
    }, 60_000);
    await member.terminate();
    clearTimeout(limit);
  }

  /** How often a member was told that it missed versions. */
  get alarms(): number {
    return this.#all
      .flatMap(({ process }) => process.logs)
      .filter(({ message }) => message === versionGapMessage).length;
  }

  /** How much each of them has written: it grows while something is handled. */
  get progress(): readonly number[] {
    return this.#all.map(({ file }) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  }

  /** What each member handled, one list a process. */
  handled(): Handling[][] {
    return this.#all.map(({ file }) => readHandled(file));
  }

  /** Resolves when this member has handled something; after 20 s also if it has not. */
  async atWork(member: ServiceProcess): Promise<void> {
    const isAtWork = () =>
      (this.progress[this.#all.findIndex((each) => each.process === member)] ?? 0) > 0;
    await eventually(isAtWork, { timeoutMs: 20_000 }).catch(() => undefined);
  }

  /** The partitions whose last event this member handled. */
  partitionsOf(member: ServiceProcess): number[] {
    const last = new Map<number, { atUs: number; process: ServiceProcess }>();
    for (const { process, file } of this.#all)
      for (const { partition, atUs } of readHandled(file))
        if (atUs >= (last.get(partition)?.atUs ?? 0)) last.set(partition, { atUs, process });
    return [...last].filter(([, { process }]) => process === member).map(([each]) => each);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#all) this.#expected.add(process);
    await Promise.all(this.running.map((each) => this.kill(each)));
  }
}
