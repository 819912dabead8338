import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';

/**
 * A subscriber in its own process: notes when each event came. Run by `latency.ts`, which tells brokers and topic in the arguments
 * and takes `Ready` and `Received` over the channel between the processes.
 */
export interface Ready {
  readonly kind: 'ready';
}
export interface Received {
  readonly kind: 'received';
  /** Event id and when it came, ms since 1970 with fractions. */
  readonly events: readonly (readonly [eid: string, receivedMs: number])[];
}
export type ConsumerMessage = Ready | Received;
/** Asks for what was received, once it is this many events. */
export interface Finish {
  readonly count: number;
}

const [brokers = '', topic = ''] = process.argv.slice(2);
const events: [string, number][] = [];
/** How long the last events may take once the relay has published them; then what came is told, and the rest counts as missing. */
const graceMs = 30_000;
let wanted = Infinity;

const tell = (message: ConsumerMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    if (!process.send) throw new Error('latency-consumer.ts is started by latency.ts');
    process.send(message, (error: Error | null) => (error ? reject(error) : resolve()));
  });

const consumer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).consumer({
  groupId: `bench-${randomUUID()}`,
  // Answered as soon as there is one byte; the wait only bounds how long an empty fetch hangs.
  minBytes: 1,
  maxWaitTimeInMs: 50,
});
// The bench is gone: nobody wants the rest.
process.on('disconnect', () => process.exit(1));
process.on('message', (message) => {
  wanted = (message as Finish).count;
  setTimeout(finish, graceMs);
  finishWhenComplete();
});
const finish = (): void => {
  wanted = Infinity;
  tell({ kind: 'received', events })
    .then(() => consumer.disconnect())
    .then(() => process.exit(0))
    .catch(() => process.exit(1));
};
const finishWhenComplete = (): void => {
  if (events.length >= wanted) finish();
};
consumer.on('consumer.crash', ({ payload }) => {
  process.stderr.write(`latency consumer: ${payload.error.message}\n`);
  process.exit(1);
});
let isReady = false;
consumer.on('consumer.fetch', () => {
  if (isReady) return;
  isReady = true;
  tell({ kind: 'ready' }).catch(() => process.exit(1));
});
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  // eslint-disable-next-line @typescript-eslint/require-await -- kafkajs wants a promise
  eachBatch: async ({ batch }) => {
    const receivedMs = performance.timeOrigin + performance.now();
    for (const { headers } of batch.messages)
      events.push([headers?.['ce_id']?.toString() ?? '', receivedMs]);
    finishWhenComplete();
  },
});
