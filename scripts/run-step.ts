import { spawn } from 'node:child_process';

export interface StepResult {
  readonly name: string;
  readonly code: number;
  readonly durationMs: number;
  readonly output: string;
}

/** Runs one command with its output kept, and resolves with how it ended; never rejects for a failing command. */
export async function runStep(
  name: string,
  [command, ...args]: readonly [string, ...string[]],
  { env = {}, echo = false }: { env?: Record<string, string>; echo?: boolean } = {},
): Promise<StepResult> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer) => {
      chunks.push(chunk);
      if (echo) process.stdout.write(chunk);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (cause) =>
      reject(new Error(`${name}: ${command} could not be started; is it installed?`, { cause })),
    );
    child.on('close', (code) =>
      resolve({
        name,
        code: code ?? 1,
        durationMs: performance.now() - startedMs,
        output: Buffer.concat(chunks).toString(),
      }),
    );
  });
}
