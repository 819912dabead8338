import { subscribe, type BatchLimits } from '@outbound/consumer';
import type { KafkaConnection, KafkaLog } from '@outbound/service-kit';
import { Kafka, logLevel } from 'kafkajs';
import { benchEvent } from './bench-event.ts';
import { Meter, type Reading } from './meter.ts';

/**
 * One reader in a process of its own, run by `run-reading.ts`: reads the topic from its beginning until it has seen so many events, and says how long that took as
 * one line of JSON.
 */
const [name = '', brokers = '', topic = '', count = ''] = process.argv.slice(2);
const meter = new Meter(Number(count));
const groupId = `bench-${name}-${process.pid}`;
const quiet: KafkaLog = { info: () => undefined, warn: () => undefined, error: console.error };
const connection: KafkaConnection = {
  brokers: brokers.split(','),
  clientId: 'bench',
  tls: undefined,
  sasl: undefined,
  connectTimeoutMs: 10_000,
  silenceLimitMs: 30_000,
};

const readers: Readonly<Record<string, () => Promise<Reading>>> = {
  'outbound-batches': () =>
    ours({
      handleBatch: (events) => meter.add(events.length),
      // The last batch of each partition is not full: it must not wait for more that never comes.
      batch: { maxEvents: 500, maxBytes: 1 << 20, maxWaitMs: 50 },
    }),
  'outbound-single': () => ours({ handle: () => meter.add(1) }),
  'kafkajs-raw': () => kafkajsBatches(() => undefined),
  'kafkajs-parsed': () =>
    kafkajsBatches(({ value, headers }) => {
      JSON.parse(value?.toString() ?? 'null');
      const text: Record<string, string> = {};
      for (const header in headers) text[header] = String(headers[header]);
    }),
};

async function ours(
  how:
    | { handle: () => void }
    | { handleBatch: (events: readonly unknown[]) => void; batch: BatchLimits },
): Promise<Reading> {
  const subscription = await subscribe({
    connection,
    groupId,
    topic,
    eventType: benchEvent,
    log: quiet,
    ...how,
  });
  const reading = await Promise.race([
    meter.done,
    subscription.done.then(() => Promise.reject(new Error('the subscription ended'))),
  ]);
  await subscription.stop();
  return reading;
}

async function kafkajsBatches(
  each: (message: { value: Buffer | null; headers?: Record<string, unknown> | undefined }) => void,
): Promise<Reading> {
  const consumer = new Kafka({
    brokers: connection.brokers as string[],
    logLevel: logLevel.ERROR,
  }).consumer({ groupId, maxWaitTimeInMs: 500 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    eachBatch: ({ batch }) => {
      for (const message of batch.messages) each(message);
      meter.add(batch.messages.length);
      return Promise.resolve();
    },
  });
  const reading = await meter.done;
  await consumer.disconnect();
  return reading;
}

const run = readers[name];
if (!run) throw new Error(`there is no reader ${name}: ${Object.keys(readers).join(', ')}`);
process.stdout.write(`${JSON.stringify(await run())}\n`);
process.exit(0);
