import { openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { VersionGap } from '@outbound/consumer';
import { connectionTo } from '../../support/read-topics.ts';
import { handledLine } from './handled-file.ts';
import { versionGapMessage, type MemberSetting } from './member-process.ts';
import { readerCode, contractCode } from './reader-code.ts';
import { soakEvent } from './soak-event.ts';

/**
 * One member of the group under test, as a process: writes what it handled into its file before it says that it is done with it, so that a kill loses no line.
 * Its argument is a `MemberSetting` as JSON. SIGTERM stops it in order; it ends with 1 when the subscription ends by itself.
 */
const setting = JSON.parse(process.argv[2] ?? '') as MemberSetting;
const { subscribe } = await readerCode(setting.root);
const { dataChangeEvent } = await contractCode(setting.root);

const file = openSync(setting.file, 'a');
const say = (level: string) => (fields: object, message: string) => {
  const { error, ...rest } = fields as { error?: unknown };
  const why = error instanceof Error ? { error: error.message } : {};
  process.stdout.write(`${JSON.stringify({ level, ...rest, ...why, message })}\n`);
};
const eventType = soakEvent(dataChangeEvent);
const common = {
  connection: connectionTo(setting.bootstrap, `member-${process.pid}`),
  groupId: setting.group,
  topic: setting.topic,
  eventType,
  sessionTimeoutMs: setting.sessionTimeoutMs,
  rebalanceTimeoutMs: 30_000,
  onVersionGap: ({ partition, key, expected, found }: VersionGap) => {
    say('error')({ partition, key, expected, found }, versionGapMessage);
  },
  log: { info: () => undefined, warn: say('warn'), error: say('error') },
};
const work = async () => (setting.handlerMs > 0 ? delay(setting.handlerMs) : undefined);
const subscription = await subscribe(
  setting.form === 'batches'
    ? {
        ...common,
        handleBatch: async (events) => {
          await work();
          writeSync(file, events.map(handledLine).join(''));
        },
        batch: { maxEvents: 500, maxBytes: 1 << 20, maxWaitMs: 20 },
      }
    : {
        ...common,
        handle: async (event) => {
          await work();
          writeSync(file, handledLine(event));
        },
      },
);
process.once('SIGTERM', () => {
  subscription.stop().catch((error: unknown) => say('error')({ error }, 'stop failed'));
});
say('info')({}, 'subscribed');
await subscription.done.then(
  () => process.exit(0),
  (error: unknown) => {
    say('error')({ error }, 'the subscription ended by itself');
    process.exit(1);
  },
);
