import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { StackError } from '../../errors.ts';
import {
  kafkaTools,
  type KafkaTool,
  type ToolOptions,
  type ToolResult,
} from '../../kafka-cluster.ts';
import { toolArguments } from '../../tool-arguments.ts';
import { gated, goAhead } from '../gate.ts';
import { startGuardian } from '../guardian.ts';
import { quickStart, tidyJvm, type KafkaRuntime } from './runtime.ts';

/** Runs a tool to its end. @throws StackError when it cannot be started or runs over its time. */
export async function runTool(
  runtime: KafkaRuntime,
  bootstrap: readonly string[],
  name: KafkaTool,
  args: readonly string[],
  { input = '', timeoutMs = 60_000 }: ToolOptions = {},
): Promise<ToolResult> {
  const guardian = await startGuardian();
  const folder = await guardian.temporaryFolder('outbound-kafka-tool-');
  const [shell, ...command] = gated([
    runtime.java,
    '-Xmx256m',
    ...quickStart,
    ...runtime.archive,
    ...tidyJvm(folder),
    `-Dlog4j2.configurationFile=${runtime.toolLogging}`,
    '-cp',
    runtime.classPath,
    kafkaTools[name].main,
    ...toolArguments(name, bootstrap, args),
  ]);
  const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 30 } as const;
  try {
    const running = promisify(execFile)(shell, command, options);
    const outcome = running.then(
      (output) => ({ ...output, code: 0 }),
      (error: unknown) => failure(name, timeoutMs, error),
    );
    const { child } = running;
    if (child.pid !== undefined) await guardian.watch(child.pid, 'TERM', 0);
    // A tool that ends before it has read its input shows that by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(`${goAhead}${input}`);
    const result = await outcome;
    if (result instanceof StackError) throw result;
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
    await guardian.leave();
  }
}

/** A result where the tool gave an exit code, an error where it did not come to that. */
function failure(name: KafkaTool, timeoutMs: number, error: unknown): ToolResult | StackError {
  const seen = failed.safeParse(error);
  if (!seen.success) return new StackError(`kafka-${name} could not be run`, { cause: error });
  const { stdout, stderr, code } = seen.data;
  if (code !== null) return { stdout, stderr, code };
  return new StackError(
    `kafka-${name} did not end by itself within ${timeoutMs} ms. It says: ${stdout}${stderr}`,
  );
}

/** What execFile adds to its error; `code` is null for a tool that was killed. */
const failed = z.object({ stdout: z.string(), stderr: z.string(), code: z.number().nullable() });
