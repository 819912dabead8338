import type { KafkaCluster } from '@outbound/local-stack';
import type { Reading } from './meter.ts';
import { runProgram } from './run-program.ts';

/** Runs one reader to its end. */
export type RunReader = () => Promise<Reading>;

/** The readers that are compared, by name, in the order of their turns. Our own come between the others, so that a drift of the machine shows. */
export function readerPrograms(
  kafka: KafkaCluster,
  { topic, events, python }: { topic: string; events: number; python: string },
): ReadonlyMap<string, RunReader> {
  const brokers = kafka.bootstrap.join(',');
  const node =
    (name: string): RunReader =>
    () =>
      runProgram(
        {
          command: process.execPath,
          args: ['--import', 'tsx', 'bench/reading/reader.ts', name, brokers, topic, `${events}`],
        },
        events,
      );
  const librdkafka =
    (mode: 'raw' | 'parsed'): RunReader =>
    () =>
      runProgram(
        {
          command: python,
          args: ['bench/reading/librdkafka.py', mode, brokers, topic, String(events)],
        },
        events,
      );
  const kcat: RunReader = () =>
    runProgram(
      {
        command: 'kcat',
        args: ['-b', brokers, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%s\\n'],
        isMute: true,
      },
      events,
    );
  return new Map([
    ['kafkajs eachBatch, nothing parsed', node('kafkajs-raw')],
    ['outbound, batches', node('outbound-batches')],
    ['kafkajs eachBatch, JSON.parse and headers', node('kafkajs-parsed')],
    ['outbound, one by one', node('outbound-single')],
    ['librdkafka (Python), nothing parsed', librdkafka('raw')],
    ['librdkafka (Python), json.loads and headers', librdkafka('parsed')],
    ['kcat, whole process', kcat],
    ['Java console consumer, whole process', () => consoleConsumer(kafka, topic, events)],
  ]);
}

/** What it used is not known: it runs behind a guard of its own. */
async function consoleConsumer(
  kafka: KafkaCluster,
  topic: string,
  events: number,
): Promise<Reading> {
  const startedMs = performance.now();
  const { code, stderr } = await kafka.tool(
    'console-consumer',
    ['--topic', topic, '--from-beginning', '--max-messages', String(events)],
    { timeoutMs: 300_000 },
  );
  if (code !== 0) throw new Error(`the console consumer ended with ${code}: ${stderr}`);
  const seconds = (performance.now() - startedMs) / 1000;
  return { events, seconds, cpuSeconds: NaN, peakBytes: NaN };
}
