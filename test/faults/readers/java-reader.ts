import type { KafkaCluster } from '@outbound/local-stack';

/** A record as Kafka's own reader sees it. */
export interface JavaRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** null: a tombstone. */
  readonly value: string | null;
}

/** Every committed record of a topic, by Kafka's console consumer, which is Java's client; nothing may be written meanwhile. */
export async function javaRecords(kafka: KafkaCluster, topic: string): Promise<JavaRecord[]> {
  const property = (name: string) => ['--formatter-property', `${name}=true`];
  const { stdout, stderr } = await kafka.tool(
    'console-consumer',
    [
      ...['--topic', topic, '--from-beginning', '--isolation-level', 'read_committed'],
      // It follows for ever: it ends, with an error, when nothing has come for this long.
      ...['--timeout-ms', '15000'],
      ...['print.partition', 'print.offset', 'print.key'].flatMap(property),
    ],
    { timeoutMs: 300_000 },
  );
  if (!stderr.includes('Processed a total of'))
    throw new Error(`the console consumer did not come to the end: ${stderr}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [partition = '', offset = '', key = '', value = ''] = line.split('\t');
      return {
        partition: Number(partition.replace('Partition:', '')),
        offset: Number(offset.replace('Offset:', '')),
        key,
        value: value === 'null' ? null : value,
      };
    });
}
