import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem, release } from 'node:os';
import { promisify } from 'node:util';

/** Where and with what a measurement was made: without it a figure says nothing. */
export interface Machine {
  readonly cores: number;
  readonly cpuModel: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly java: string;
  readonly commit: string;
}

const run = promisify(execFile);

/** Describes this machine; what can't be found out is called unknown. */
export async function describeMachine(repository: string): Promise<Machine> {
  const [java, head, changes] = await Promise.all([
    output('java', ['-version']),
    output('git', ['-C', repository, 'rev-parse', '--short=12', 'HEAD']),
    output('git', ['-C', repository, 'status', '--porcelain', '--untracked-files=no']),
  ]);
  return {
    cores: availableParallelism(),
    cpuModel: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    java: /"([^"]+)"/.exec(java)?.[1] ?? 'unknown',
    commit: head === '' ? 'unknown' : `${head}${changes === '' ? '' : ' with changes'}`,
  };
}

async function output(command: string, args: readonly string[]): Promise<string> {
  // `java -version` writes to stderr.
  const { stdout, stderr } = await run(command, [...args]).catch(() => ({
    stdout: '',
    stderr: '',
  }));
  return `${stdout}${stderr}`.trim();
}

/** The machine's processor time since it started, in cores × seconds. */
export interface ProcessorTime {
  readonly busy: number;
  /** Taken by other guests of the host: time in which we wanted to run and could not. */
  readonly steal: number;
}

export async function readProcessorTime(): Promise<ProcessorTime> {
  return processorTime(await readFile('/proc/stat', 'utf8'));
}

/** The first line of /proc/stat. Source: proc(5): user nice system idle iowait irq softirq steal, in hundredths of a second. */
export function processorTime(stat: string): ProcessorTime {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  const [user = NaN, nice = NaN, system = NaN, , , irq = NaN, softirq = NaN, steal = NaN] = fields;
  return { busy: (user + nice + system + irq + softirq) / 100, steal: steal / 100 };
}
