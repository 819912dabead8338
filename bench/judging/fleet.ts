import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceProcess } from '../../test/support/service-process.ts';
import { readProcessUsage } from '../process-usage.ts';
import type { Member } from './balancer-process.ts';

/** What one process of the API was seen to use. */
export interface ProcessFigures {
  readonly name: string;
  readonly peakBytes: number;
  /** Longest standstill of its event loop, and the processor time that was used in it: on a busy machine a process also stands still because others run. */
  readonly longestBlock: { readonly wallMs: number; readonly cpuMs: number };
  /** It ended without having been asked to, or with another code than 0. */
  readonly hasFailed: boolean;
}

/** A moment of a rolling restart. */
export interface RestartStep {
  /** `a is asked to stop`. */
  readonly what: string;
  readonly atMs: number;
}

interface Running {
  readonly member: Member;
  readonly process: ServiceProcess;
  peakBytes: number;
  longestBlock: ProcessFigures['longestBlock'];
  /** The first second that is told of once it listens has the loading of its modules in it. */
  hasStarted: boolean;
  hasFailed: boolean;
}

/** The processes of the API, those that ended too. */
export class Fleet {
  readonly #start: (name: string) => ServiceProcess;
  readonly #announce: (members: readonly Member[]) => void;
  readonly #all: Running[] = [];
  #members: readonly Running[] = [];

  /**
   * @param start starts a process and does not wait for it.
   * @param announce tells the balancer who may be there.
   */
  constructor(
    start: (name: string) => ServiceProcess,
    announce: (members: readonly Member[]) => void,
  ) {
    this.#start = start;
    this.#announce = announce;
  }

  /** Starts one more and announces it once it listens. */
  async add(name: string): Promise<void> {
    const process = this.#start(name);
    const line = await process.log('listening', (each) => typeof each['adminPort'] === 'number');
    const member = { name, port: Number(line['port']), adminPort: Number(line['adminPort']) };
    const running: Running = {
      member,
      process,
      peakBytes: 0,
      longestBlock: { wallMs: 0, cpuMs: 0 },
      hasStarted: false,
      hasFailed: false,
    };
    process.logs.splice(0);
    this.#all.push(running);
    this.#members = [...this.#members, running];
    this.#announce(this.#members.map((each) => each.member));
  }

  /**
   * Stops each in turn, as a supervisor would, and goes on when the one that takes its place is ready.
   * @param untilReady resolves when the balancer sends it connections.
   * @returns what happened when, in order.
   */
  async roll(untilReady: (name: string) => Promise<void>): Promise<readonly RestartStep[]> {
    const steps: RestartStep[] = [];
    const step = (what: string) => steps.push({ what, atMs: Date.now() });
    for (const running of this.#members) {
      const { name } = running.member;
      step(`${name} is asked to stop`);
      await this.#end(running);
      step(`${name} is gone`);
      await this.add(`${name}'`);
      step(`${name}' listens`);
      await untilReady(`${name}'`);
      step(`${name}' is ready`);
    }
    return steps;
  }

  /** Looks at memory and loops until `signal`; lets go of the log lines, which are many. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const running of this.#members) await look(running);
      await delay(250);
    }
  }

  /** Ends those that are left. @returns what each has used. */
  async close(): Promise<readonly ProcessFigures[]> {
    for (const running of this.#members) await this.#end(running);
    return this.#all.map(({ member, peakBytes, longestBlock, hasFailed }) => ({
      name: member.name,
      peakBytes,
      longestBlock,
      hasFailed,
    }));
  }

  async #end(running: Running): Promise<void> {
    await look(running);
    running.hasFailed ||= !running.process.isRunning;
    const { code } = await running.process.terminate();
    running.hasFailed ||= code !== 0;
    await look(running);
    this.#members = this.#members.filter((each) => each !== running);
    this.#announce(this.#members.map((each) => each.member));
  }
}

async function look(running: Running): Promise<void> {
  const { process } = running;
  for (const line of process.logs.splice(0)) {
    if (line.message !== 'loop') continue;
    const block = { wallMs: Number(line['wallMs']), cpuMs: Number(line['cpuMs']) };
    if (running.hasStarted && block.cpuMs > running.longestBlock.cpuMs)
      running.longestBlock = block;
    running.hasStarted = true;
  }
  if (!process.isRunning) return;
  const usage = await readProcessUsage(process.pid).catch(() => undefined);
  running.peakBytes = Math.max(running.peakBytes, usage?.peakResidentBytes ?? 0);
}
