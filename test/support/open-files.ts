import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** How many files and sockets a process has open. Linux. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Lets a running process have so many files and sockets open, and no more. */
export function limitOpenFiles(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`], { stdio: 'pipe' });
}
