import type { KafkaCluster } from '@outbound/local-stack';

/** The committed offset of each partition, by Kafka's own tool; nothing where none is committed. */
export async function committedOffsets(
  kafka: KafkaCluster,
  group: string,
  topic: string,
): Promise<Map<number, number>> {
  const committed = new Map<number, number>();
  for (const [, of, partition, offset] of await describe(kafka, group)) {
    if (of === topic && offset !== '-') committed.set(Number(partition), Number(offset));
  }
  return committed;
}

/** The node that coordinates the group. */
export async function coordinatorOf(kafka: KafkaCluster, group: string): Promise<number> {
  const rows = await describe(kafka, group, '--state');
  // GROUP, COORDINATOR (ID) as `host:port (1)`, …
  const node = rows.find(([name]) => name === group)?.[2];
  const id = /^\((\d)\)$/.exec(node ?? '')?.[1];
  if (id === undefined) throw new Error(`group ${group} has no coordinator: ${rows.join('; ')}`);
  return Number(id);
}

async function describe(kafka: KafkaCluster, group: string, ...more: string[]) {
  const { stdout, stderr, code } = await kafka.tool(
    'consumer-groups',
    ['--describe', '--group', group, '--timeout', '120000', ...more],
    { timeoutMs: 180_000 },
  );
  if (code !== 0) throw new Error(`group ${group} could not be described: ${stdout}${stderr}`);
  return stdout.split('\n').map((line) => line.trim().split(/\s+/));
}
