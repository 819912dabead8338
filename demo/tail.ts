import { parseArgs } from 'node:util';
import { readTopics } from '@outbound/consumer';
import { holderOf } from './claim.ts';
import { dataDirectory } from './data-directory.ts';
import { demoConnection } from './demo-connection.ts';
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
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    await readTopics({
      connection: demoConnection(holder.kafka, 'outbound-tail'),
      topics: [topic],
      from: ({ low, high }) => (values['from-beginning'] ? low : high),
      until: 'forever',
      signal: stop.signal,
      onOpen: () => console.error(`following ${topic}; Ctrl-C ends it`),
      onBatch: (records) => {
        for (const record of records)
          console.log(`${describeRecord(record)} ${record.value?.toString() ?? '(tombstone)'}`);
      },
    });
  } else {
    console.error('no stack is up: run npm start first');
    process.exitCode = 1;
  }
}
