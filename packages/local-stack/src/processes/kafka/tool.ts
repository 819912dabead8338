import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError } from '../../errors.ts';
import {
  kafkaTools,
  type KafkaTool,
  type ToolOptions,
  type ToolResult,
} from '../../kafka-cluster.ts';
import { quickStart, tidyJvm, type KafkaRuntime } from './runtime.ts';

/** Arguments of a tool with the brokers put in, unless the caller named some. */
export function toolArguments(
  name: KafkaTool,
  bootstrap: readonly string[],
  args: readonly string[],
): string[] {
  const wanted = kafkaTools[name].bootstrap && !args.includes('--bootstrap-server');
  return wanted ? ['--bootstrap-server', bootstrap.join(','), ...args] : [...args];
}

/** Runs a tool to its end. @throws StackError when it cannot be started or runs over its time. */
export async function runTool(
  runtime: KafkaRuntime,
  bootstrap: readonly string[],
  name: KafkaTool,
  args: readonly string[],
  { input = '', timeoutMs = 60_000 }: ToolOptions = {},
): Promise<ToolResult> {
  const folder = await mkdtemp(join(tmpdir(), 'outbound-kafka-tool-'));
  try {
    return await new Promise<ToolResult>((resolve, reject) => {
      const command = [
        '-Xmx256m',
        ...quickStart,
        ...runtime.archive,
        ...tidyJvm(folder),
        `-Dlog4j2.configurationFile=${runtime.toolLogging}`,
        '-cp',
        runtime.classPath,
        kafkaTools[name].main,
        ...toolArguments(name, bootstrap, args),
      ];
      const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 30 } as const;
      const child = execFile(runtime.java, command, options, (error, stdout, stderr) => {
        if (!error) resolve({ stdout, stderr, code: 0 });
        else if (typeof error.code === 'number') resolve({ stdout, stderr, code: error.code });
        else if (error.killed)
          reject(
            new StackError(`kafka-${name} did not end within ${timeoutMs} ms. It says: ${stderr}`),
          );
        else reject(new StackError(`kafka-${name} could not be run`, { cause: error }));
      });
      // A tool that ends before it has read its input shows that by its exit code.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
