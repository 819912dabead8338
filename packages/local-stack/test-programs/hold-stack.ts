import { startStack } from '../src/index.ts';

/** Starts a stack, says what it is made of in one line of JSON, and then ends as it is told, without stopping the stack. */
const [end, dataDir] = process.argv.slice(2);
const stack = await startStack(dataDir === undefined ? {} : { dataDir });
const { postgres, kafka } = stack;
const report = {
  pids: stack.form === 'processes' ? [postgres.pid, ...kafka.brokers.map(({ pid }) => pid)] : [],
  dataDir: postgres.dataDir,
  ports: [postgres.port, Number(kafka.broker(1).address.split(':')[1])],
};
process.stdout.write(`${JSON.stringify(report)}\n`);
if (end === 'exit') process.exit(3);
if (end === 'throw') throw new Error('a bug of the caller');
if (end !== 'return') setInterval(() => undefined, 60_000);
