import { readFile } from 'node:fs/promises';

/** What a process has used since it started. */
export interface ProcessUsage {
  /** Highest resident memory so far (`VmHWM`), bytes. */
  readonly peakResidentBytes: number;
  /** User and system time of all its threads, seconds. */
  readonly cpuSeconds: number;
}

/** USER_HZ: fixed at 100 for every program, whatever the kernel's own tick. Source: proc(5), time(7). */
const ticksPerSecond = 100;

/**
 * Reads a process's usage from /proc.
 * @throws Error (ENOENT) once the process is gone, and on systems without /proc.
 */
export async function readProcessUsage(pid: number): Promise<ProcessUsage> {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ]);
  return { peakResidentBytes: peakResident(status), cpuSeconds: cpuSeconds(stat) };
}

/** `VmHWM` in the text of /proc/PID/status, bytes. @throws Error if it is not there, as for a kernel thread. */
export function peakResident(status: string): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error('no VmHWM in /proc/PID/status');
  return Number(kibibytes) * 1024;
}

/** `utime` and `stime` in the text of /proc/PID/stat, seconds. The name in brackets may hold spaces and brackets itself. */
export function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [utime, stime] = [Number(fields[11]), Number(fields[12])];
  if (!Number.isFinite(utime) || !Number.isFinite(stime))
    throw new Error(`no CPU times in /proc/PID/stat: ${stat.slice(0, 80)}`);
  return (utime + stime) / ticksPerSecond;
}
