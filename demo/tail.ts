import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { holderOf } from './claim.ts';
import { dataDirectory } from './data-directory.ts';
import { describeRecord } from './live-consumer.ts';

/** `npm run tail`: follows a topic of the stack that `npm start` keeps up, a record a line with its value, until Ctrl-C. */
const usage = `Usage: npm run tail -- [--topic NAME] [--from-beginning]
The default topic is catalog.product-change; catalog.product is the compacted one.`;

const { values } = parseArgs({
  options: {
    topic: { type: 'string', default: 'catalog.product-change' },
    'from-beginning': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const { topic } = values;

if (values.help) {
  console.log(usage);
} else {
  const holder = await holderOf(dataDirectory(process.env['OUTBOUND_DATA_DIR']));
  if (holder?.kafka) {
    const kafka = new Kafka({ brokers: [...holder.kafka], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({
      groupId: `outbound-tail-${randomBytes(6).toString('hex')}`,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 100,
    });
    process.once('SIGINT', () => {
      consumer.disconnect().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: values['from-beginning'] });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const value = message.value?.toString() ?? '(tombstone)';
        console.log(`${describeRecord(topic, partition, message)} ${value}`);
        return Promise.resolve();
      },
    });
    console.error(`following ${topic}; Ctrl-C ends it`);
  } else {
    console.error('no stack is up: run npm start first');
    process.exitCode = 1;
  }
}
