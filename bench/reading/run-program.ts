import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readProcessUsage, type ProcessUsage } from '../process-usage.ts';
import type { Reading } from './meter.ts';

/** How a reader is started. */
export interface ReaderProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** It says nothing of itself: the whole process is measured, its start included. */
  readonly isMute?: boolean;
}

const limitMs = 300_000;

/** Runs a reader to its end. @throws Error if it fails, is not installed, or takes longer than five minutes */
export async function runProgram(
  { command, args, isMute = false }: ReaderProgram,
  events: number,
): Promise<Reading> {
  const startedMs = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', isMute ? 'ignore' : 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout?.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (err = (err + text.toString()).slice(-2000)));
  let usage: ProcessUsage = { peakResidentBytes: 0, cpuSeconds: 0 };
  const watch = setInterval(() => {
    if (child.pid === undefined) return;
    readProcessUsage(child.pid).then(
      (now) => (usage = now),
      // It has just ended.
      () => undefined,
    );
  }, 50);
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${err}`);
  } finally {
    clearInterval(watch);
    clearTimeout(limit);
  }
  if (!isMute) return JSON.parse(out) as Reading;
  const { cpuSeconds, peakResidentBytes: peakBytes } = usage;
  return { events, seconds: (performance.now() - startedMs) / 1000, cpuSeconds, peakBytes };
}
