import { createLogger } from '@outbound/service-kit';
import { expect, it } from 'vitest';
import { RelayError } from './errors.ts';
import { limitedKafkaLog } from './limited-kafka-log.ts';
import { createLogObserver } from './log-observer.ts';

function logged() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    service: 'relay',
    level: 'info',
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  return { lines, logger };
}
const batch = { topic: 't', partition: 0, records: [] };

it('an outage of a minute that two hundred lanes meet each second is some lines, and its end is one', () => {
  const { lines, logger } = logged();
  let nowMs = 0;
  const observer = createLogObserver(logger, () => nowMs);
  for (; nowMs < 60_000; nowMs += 1000)
    for (let lane = 0; lane < 200; lane += 1)
      observer.sendFailed(new RelayError('SINK_UNAVAILABLE', `lane ${lane}`), nowMs / 1000, []);
  expect(lines).toHaveLength(6);
  expect(lines[0]).toMatchObject({ level: 'warn', code: 'SINK_UNAVAILABLE', heldBack: 0 });
  expect(lines[1]).toMatchObject({ level: 'error', heldBack: 1999 });
  observer.batchDelivered(batch);
  expect(lines).toHaveLength(6);
  nowMs += 10_000;
  observer.batchDelivered(batch);
  observer.batchDelivered(batch);
  expect(lines.slice(6)).toMatchObject([{ level: 'info', message: 'sends go through again' }]);
});

it('an outage is not told as over while one partition takes nothing, and the line names it', () => {
  const { lines, logger } = logged();
  let nowMs = 0;
  const observer = createLogObserver(logger, () => nowMs);
  const stuck = new RelayError('SINK_PARTITION_UNAVAILABLE', 'no leader');
  observer.sendFailed(stuck, 0, ['t/3']);
  for (nowMs = 6000; nowMs < 40_000; nowMs += 6000) observer.batchDelivered(batch);
  expect(lines).toMatchObject([{ level: 'warn', lanes: ['t/3'] }]);
  observer.batchDelivered({ ...batch, partition: 3 });
  expect(lines.slice(1)).toMatchObject([{ level: 'info', message: 'sends go through again' }]);
});

it('a server that stays a standby is told as a warning with the remedy, once in ten seconds', () => {
  const { lines, logger } = logged();
  let nowMs = 0;
  const observer = createLogObserver(logger, () => nowMs);
  for (; nowMs < 30_000; nowMs += 500)
    observer.sessionEnded(new RelayError('SOURCE_IN_RECOVERY', 'a standby'), 400);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatchObject({ level: 'warn', code: 'SOURCE_IN_RECOVERY' });
  expect(String(lines[0]?.['remedy'])).toContain('connect to the primary');
});

it('what the Kafka layer says of one broker again and again is one line for each', () => {
  const { lines, logger } = logged();
  const log = limitedKafkaLog(logger, { everyMs: 10_000, nowMs: () => 0 });
  for (let n = 0; n < 50; n += 1)
    for (const broker of ['a:1', 'b:1']) log.warn({ component: 'kafkajs', broker }, 'refused');
  log.info({}, 'open');
  log.info({}, 'open');
  expect(lines.map(({ message }) => message)).toEqual(['refused', 'refused', 'open', 'open']);
});
