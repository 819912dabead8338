import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError } from '../errors.ts';

/**
 * Reads orders from us on a pipe. End of file without `leave` means that we are gone, however that came about (a return,
 * Ctrl-C, SIGKILL): then the server is ended as politely as the grace allows and the folders are removed.
 */
const script = String.raw`
trap '' HUP INT TERM QUIT
pid=; signal=TERM; grace=0; after=; set --
while IFS=' ' read -r order value; do
  case $order in
    pid) pid=$value ;;
    signal) signal=$value ;;
    grace) grace=$value ;;
    remove) set -- "$@" "$value" ;;
    after) after=$value ;;
    leave) exit 0 ;;
  esac
done
children() { cat /proc/"$1"/task/*/children 2>/dev/null || pgrep -P "$1"; }
alive() {
  kill -0 "$1" 2>/dev/null || return 1
  case $(cat /proc/"$1"/stat 2>/dev/null) in *') Z '*) return 1 ;; esac
}
if [ -n "$pid" ] && alive "$pid"; then
  kill -CONT $(children "$pid") "$pid" 2>/dev/null
  kill -"$signal" "$pid" 2>/dev/null
  tries=$((grace * 20))
  while alive "$pid" && [ "$tries" -gt 0 ]; do sleep 0.05; tries=$((tries - 1)); done
  if alive "$pid"; then kill -KILL $(children "$pid") "$pid" 2>/dev/null; fi
  while alive "$pid"; do sleep 0.05; done
fi
[ -n "$after" ] && sh -c "$after" >/dev/null 2>&1
# What we were writing there when we died may go on for a moment.
tries=50
while [ "$#" -gt 0 ] && [ "$tries" -gt 0 ]; do
  rm -rf -- "$@" 2>/dev/null
  for folder; do shift; [ -e "$folder" ] && set -- "$@" "$folder"; done
  [ "$#" -gt 0 ] && sleep 0.2
  tries=$((tries - 1))
done
exit 0
`;

/** Outlives this process for as long as it takes to clean up after it. One for each server. */
export interface Guardian {
  readonly pid: number;
  /** The process that must not outlive us, the signal that ends it well, and the seconds it gets before SIGKILL. */
  watch(pid: number, signal: 'INT' | 'QUIT' | 'TERM', graceSeconds: number): Promise<void>;
  /** Nothing runs at the moment. */
  unwatch(): Promise<void>;
  /** A folder to remove at the end; it need not be there yet. */
  remove(folder: string): Promise<void>;
  /** A new folder for temporary files that is removed at the end. Known to the guardian before it is made. */
  temporaryFolder(prefix: string): Promise<string>;
  /** A shell command to run at the end. */
  after(command: string): Promise<void>;
  /** All is cleaned up already: go, and touch nothing. */
  leave(): Promise<void>;
}

/** Starts a guardian, in a session of its own so that a Ctrl-C at the terminal does not reach it. */
export async function startGuardian(): Promise<Guardian> {
  const child = spawn('/bin/sh', ['-c', script, 'outbound-guardian'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { stdin, pid } = child;
  if (pid === undefined) throw new StackError('/bin/sh did not start');
  child.unref();
  if (stdin instanceof Socket) stdin.unref();
  // If the guardian itself is killed, an order to it fails in its own callback; the event would only crash us.
  stdin.on('error', () => undefined);
  const order = async (line: string): Promise<void> => {
    if (line.includes('\n'))
      throw new StackError(`a path with a line break cannot be guarded: ${line}`);
    await new Promise<void>((resolve, reject) => {
      stdin.write(`${line}\n`, (error) => {
        if (error) reject(new StackError('the guardian process is gone', { cause: error }));
        else resolve();
      });
    });
  };
  return {
    pid,
    watch: async (watched, signal, graceSeconds) => {
      await order(`signal ${signal}`);
      await order(`grace ${graceSeconds}`);
      await order(`pid ${watched}`);
    },
    unwatch: async () => order('pid '),
    remove: async (folder) => order(`remove ${folder}`),
    temporaryFolder: async (prefix) => {
      const folder = join(tmpdir(), `${prefix}${randomUUID().slice(0, 8)}`);
      await order(`remove ${folder}`);
      await mkdir(folder, { mode: 0o700 });
      return folder;
    },
    after: async (command) => order(`after ${command}`),
    leave: async () => {
      if (child.exitCode === null && child.signalCode === null) await order('leave');
      stdin.end();
    },
  };
}
