import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/**
 * Runs a command line to its end and gives its standard output.
 * @throws Error with what it wrote to standard error, with the remedy where a program is not installed, or when it runs over its time: then all of it is killed.
 */
export async function shell(command: string, input = '', timeoutMs = 120_000): Promise<string> {
  // In a process group of its own, so that the end of its time ends every part of a pipe.
  const child = spawn('/bin/sh', ['-c', command], { detached: true });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, timeoutMs);
  // A command that ends before it has read its input shows that by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('exit', resolve)),
  ]);
  clearTimeout(timer);
  const missing = /(\S+): not found/.exec(stderr)?.[1];
  if (missing !== undefined)
    throw new Error(`${missing} is not installed: apt-get install ${missing}`);
  if (isLate) throw new Error(`\`${command}\` did not end within ${timeoutMs} ms: ${stderr}`);
  if (code !== 0) throw new Error(`\`${command}\` ended with code ${code}: ${stderr}`);
  return stdout;
}
