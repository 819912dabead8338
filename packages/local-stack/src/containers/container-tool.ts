import { StackError } from '../errors.ts';
import type { KafkaTool, ToolOptions, ToolResult } from '../kafka-cluster.ts';
import { toolArguments } from '../tool-arguments.ts';
import { brokerAlias, insidePorts, type ContainerBroker } from './container-broker.ts';

/** Linux takes no longer string from one process to the next (MAX_ARG_STRLEN). */
const longestInput = 128 * 1024 - 16;

/** Runs a tool of the image inside the first broker that runs. @throws StackError when none runs, or the tool runs over its time. */
export async function runToolInside(
  brokers: readonly ContainerBroker[],
  name: KafkaTool,
  args: readonly string[],
  { input = '', timeoutMs = 60_000 }: ToolOptions = {},
): Promise<ToolResult> {
  if (Buffer.byteLength(input) > longestInput)
    throw new StackError(
      `an input of ${Buffer.byteLength(input)} bytes does not fit into a container: at most ${longestInput} bytes, or use the form processes`,
    );
  const running = await Promise.all(brokers.map(async (broker) => broker.isRunning()));
  const broker = brokers.find((_, index) => running[index]);
  if (!broker) throw new StackError('no Kafka broker is running: start() one first');
  const bootstrap = brokers.map(({ nodeId }) => `${brokerAlias(nodeId)}:${insidePorts.broker}`);
  const command = [
    'timeout',
    '-s',
    'KILL',
    String(Math.ceil(timeoutMs / 1000)),
    `/opt/kafka/bin/kafka-${name}.sh`,
    ...toolArguments(name, bootstrap, args),
  ];
  const { stdout, stderr, exitCode } = await broker.container.exec(
    ['sh', '-c', 'printf %s "$TOOL_INPUT" | "$@"', 'sh', ...command],
    // The broker's own heap would be the tool's as well.
    { TOOL_INPUT: input, KAFKA_HEAP_OPTS: '-Xmx256m' },
  );
  // 128 + SIGKILL.
  if (exitCode === 137)
    throw new StackError(
      `kafka-${name} did not end by itself within ${timeoutMs} ms. It says: ${stdout}${stderr}`,
    );
  return { stdout, stderr, code: exitCode };
}
