import { kafkaTools, type KafkaTool } from './kafka-cluster.ts';

/** Arguments of a tool with the brokers put in, unless the caller named some. */
export function toolArguments(
  name: KafkaTool,
  bootstrap: readonly string[],
  args: readonly string[],
): string[] {
  const wanted = kafkaTools[name].bootstrap && !args.includes('--bootstrap-server');
  return wanted ? ['--bootstrap-server', bootstrap.join(','), ...args] : [...args];
}
