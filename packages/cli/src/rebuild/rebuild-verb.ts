import {
  rebuildAndFollow,
  type CaughtUp,
  type ReadSummary,
  type ResumePlan,
} from '@outbound/consumer';
import { eventTypes } from '@outbound/schemas';
import { Option } from 'commander';
import { bytesText, durationText, numberText } from '../console/units.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { kafkaCliError } from '../kafka/kafka-cli-error.ts';
import { stateTopicOf, topicNamed } from '../kafka/topic-name.ts';
import type { AddVerb } from '../verb.ts';
import { openTarget, targets, type Target, type TargetOptions } from './open-target.ts';
import { createProgressDisplay } from './progress-display.ts';

interface Options extends TargetOptions {
  readonly follow?: true;
  readonly restart?: true;
  readonly yes?: true;
}

/** `outbound rebuild TOPIC --into …`: the latest state of each key of a compacted topic, put somewhere. */
export const addRebuild: AddVerb = (verb, bind) => {
  verb
    .argument('<topic>', 'a compacted topic')
    .addOption(
      new Option('--into <target>', 'where the state goes; memory only measures')
        .choices([...targets])
        .makeOptionMandatory(),
    )
    .option('--table <name>', 'for postgres: the table, in the database of --database-url')
    .option('--file <path>', 'for file: the NDJSON snapshot')
    .option('--follow', 'go on with what comes, until Ctrl-C')
    .option('--restart', 'clear what the target has, and begin again')
    .option('--yes', 'with --restart: do not ask')
    .addHelpText(
      'after',
      `
Goes on from where the target is, if it was filled before. Only what was there at the start is waited for; what comes meanwhile is not lost, and follows.
The table has key, version and value (json); it is made if it is not there, with a table of positions beside it, and needs a role that may do that.
The file appears when it is complete, and is replaced as a whole. A table or a file that a rebuild has not made is refused, and left as it is.
Values have to be JSON for both; of one that begins with the id of its schema the five bytes are left out. Keys that are no text become \\x and digits.

  outbound rebuild catalog.product --into postgres --table product_copy --follow
  outbound rebuild catalog.product --into file --file products.ndjson`,
    )
    .action(bind(rebuild));
};

async function rebuild(context: CliContext, name: string, options: Options): Promise<ExitCode> {
  const { output, signal, settings } = context;
  const connection = context.kafka();
  const topic = topicNamed(name, eventTypes, settings.topicPrefix);
  const tombstonesLiveMs = await tombstoneLife(context, topic);
  const target = await openTarget(context, options, topic);
  const progress = createProgressDisplay(output);
  let caughtUp: CaughtUp | undefined;
  const eventType = [...eventTypes.values()].find(({ routes }) =>
    routes.some((route) => `${settings.topicPrefix}${route.topic}` === topic),
  );
  let beginnings = 0;
  let summary: ReadSummary;
  try {
    if (options.restart) await clearTarget(context, target, options.yes === true);
    summary = await rebuildAndFollow({
      connection,
      topic,
      store: target.store,
      follow: options.follow === true,
      tombstonesLiveMs,
      signal,
      ...(eventType ? { eventType } : {}),
      onBegin: (plan) => {
        beginnings += 1;
        // A run that begins again is complete no more.
        caughtUp = undefined;
        if (beginnings === 1) return;
        progress.end();
        output.note(`${topic}: reading ${beganText(plan)}`);
      },
      onProgress: (each) => progress.show(each),
      onCaughtUp: (facts) => {
        progress.end();
        caughtUp = facts;
        tell(context, { topic, target, facts });
      },
      log: {
        info: () => undefined,
        warn: (fields, message) => output.note(`${message} ${JSON.stringify(fields)}`),
        error: (fields, message) => output.note(`${message} ${JSON.stringify(fields)}`),
      },
    });
  } catch (thrown) {
    progress.end();
    // What failed first is what is told.
    await target.store.close().catch(() => undefined);
    throw kafkaCliError(thrown, `topic ${topic}`, connection.brokers);
  }
  progress.end();
  await target.store.close();
  if (caughtUp === undefined) return exitCodes.interrupted;
  if (options.follow)
    output.note(`followed up to ${numberText(summary.recordCount)} records in all`);
  return exitCodes.done;
}

/**
 * How long the topic keeps tombstones, ms. @throws CliError TOPIC_NOT_COMPACTED: the last record of a key need not be
 * there
 */
async function tombstoneLife(context: CliContext, topic: string): Promise<number> {
  const admin = await openKafkaAdmin(context.kafka());
  try {
    const config = await admin.topicConfig(topic, ['cleanup.policy', 'delete.retention.ms']);
    const policy = config.get('cleanup.policy') ?? 'unknown';
    if (!policy.split(',').some((each) => each.trim() === 'compact')) {
      const state = stateTopicOf(topic, eventTypes, context.settings.topicPrefix);
      throw new CliError(
        'TOPIC_NOT_COMPACTED',
        `topic ${topic} is not compacted (cleanup.policy ${policy}), so it need not hold the state of every key: ${
          state === undefined ? 'name a compacted one' : `rebuild from ${state}`
        }`,
        { exitCode: exitCodes.usage },
      );
    }
    return Number(config.get('delete.retention.ms') ?? 86_400_000);
  } finally {
    await admin.close();
  }
}

async function clearTarget(
  context: CliContext,
  { store, name }: Target,
  yes: boolean,
): Promise<void> {
  const { partitions } = await store.positions();
  if (partitions.size === 0) return;
  context.output.note(
    `${name} holds a state up to ` +
      `${[...partitions.values()].map(({ partition, nextOffset }) => `${partition}:${nextOffset}`).join(' ')} ` +
      '(partition:offset); all of it will be removed',
  );
  await context.confirm(`Clear ${name} and begin again?`, { yes });
  await store.clear(Date.now());
}

function tell(
  { output }: CliContext,
  { topic, target, facts }: { topic: string; target: Target; facts: CaughtUp },
): void {
  const { recordCount, byteCount, seconds, began, partitions } = facts;
  const rate = seconds > 0 ? recordCount / seconds : 0;
  output.answer(
    {
      event: 'caught-up',
      at: new Date().toISOString(),
      topic,
      target: target.name,
      records: recordCount,
      bytes: byteCount,
      seconds,
      records_per_second: rate,
      began: began.from,
      why: began.from === 'beginning' ? began.why : null,
      ends: Object.fromEntries(
        partitions.map(({ partition, high }) => [String(partition), high.toString()]),
      ),
    },
    () =>
      `${topic} → ${target.name}: caught up after ${durationText(seconds)}, ${numberText(recordCount)} records, ${bytesText(byteCount)}, ` +
      `${numberText(Math.round(rate))}/s (${beganText(began)})`,
  );
}

function beganText(began: ResumePlan): string {
  return began.from === 'positions'
    ? 'went on from where it was'
    : `began at the beginning, ${reason[began.why]}`;
}

const reason: Readonly<Record<(ResumePlan & { from: 'beginning' })['why'], string>> = {
  empty: 'since it had nothing',
  'tombstones-may-be-gone':
    'since it was away for longer than the topic keeps deletions, and was cleared',
  'records-removed':
    'since records were removed from the topic before it had read them, and it was cleared',
  'topic-made-again': 'since the topic was deleted and made again, and it was cleared',
  'topic-not-proven':
    'since nothing proves that the topic is still the one that it was filled from, and it was cleared',
  'topic-lost-records': 'since the topic ends before what was read of it, and it was cleared',
};
