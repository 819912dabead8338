import { randomUUID } from 'node:crypto';
import { openKafkaRedrive, redriveTopic, type KafkaRedrive } from '@outbound/consumer';
import { deadLetterTopics } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { kafkaCliError } from '../kafka/kafka-cli-error.ts';
import { silentLog } from '../kafka/silent-log.ts';
import { awaitMembers } from './await-members.ts';
import { readQueues, type QueueFilter } from './letter-queues.ts';
import { discardOf, redriveOf, type QueuePlan } from './queue-plan.ts';
import {
  endText,
  queueLettersJson,
  queueLettersText,
  queuesJson,
  queuesText,
} from './queues-text.ts';

/** What a verb about the letters of consumers is told. */
export interface ConsumerLetterOptions extends QueueFilter {
  /** The dead-letter topic, in full. */
  readonly topic: string;
  readonly payload?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `list --topic`: the keys of which letters wait. */
export async function listConsumerLetters(
  context: CliContext,
  options: ConsumerLetterOptions,
): Promise<ExitCode> {
  const { redrive, connection } = await open(context, options);
  const { signal } = context;
  const now = await readQueues(redrive, options, { topic: options.topic, connection, signal });
  context.output.answer({ keys: queuesJson(now) }, () => queuesText(context.output, now));
  return exitCodes.done;
}

/** `show --topic`: every letter that waits, with `--payload` its value, too. */
export async function showConsumerLetters(
  context: CliContext,
  options: ConsumerLetterOptions,
): Promise<ExitCode> {
  const { redrive, connection } = await open(context, options);
  const { topic, payload: withPayload = false } = options;
  const source = { topic, connection, signal: context.signal, withPayload };
  const { queues } = await readQueues(redrive, options, source);
  context.output.answer({ letters: queueLettersJson(queues) }, () =>
    queueLettersText(context.output, queues),
  );
  return exitCodes.done;
}

/** `redrive --topic` and `discard --topic`: writes down what the group's members are to do, and waits for them. */
export async function askConsumers(
  context: CliContext,
  verb: 'redrive' | 'discard',
  options: ConsumerLetterOptions,
): Promise<ExitCode> {
  const { redrive, connection, admin } = await open(context, options);
  const { topic, eid } = options;
  const { signal } = context;
  const { queues, book } = await readQueues(redrive, options, { topic, connection, signal });
  const plans = queues.map((queue) => {
    const asked = { id: randomUUID(), at: new Date() };
    return verb === 'redrive' ? redriveOf(queue, asked) : discardOf(queue, { ...asked, eid });
  });
  for (const { sentence } of plans) context.output.note(sentence);
  const letters = plans.reduce((sum, plan) => sum + plan.letters, 0);
  const hasMembers = await groupsHaveMembers(context, admin, plans);
  if (plans.length > 0 && book === undefined)
    context.output.note(`topic ${redriveTopic(topic)}, where this is written down, will be made`);
  if (plans.length === 0 || options.dryRun === true) {
    context.output.answer({ keys: plans.length, letters, done: false }, 'nothing was done');
    return exitCodes.done;
  }
  await context.confirm(
    verb === 'redrive'
      ? `Hand ${letters} letters of ${plans.length} keys to their handlers again?`
      : `Give up ${letters} letters of ${plans.length} keys?`,
    { yes: options.yes === true },
  );
  if (book === undefined) await makeJournal(admin, topic);
  let asked = 0;
  try {
    await lookedAt(redrive);
    for (const { request } of plans) {
      signal.throwIfAborted();
      await redrive.ask(request);
      asked += 1;
    }
    const requests = plans.map(({ request }) => request);
    const ends = await awaitMembers(redrive, requests, { signal, hasMembers });
    const left = ends.filter(({ progress }) => progress?.state !== 'done');
    context.output.answer(
      {
        ...{ asked: plans.length, letters, free: plans.length - left.length },
        left: left.map(({ request: { group, topic: of, key }, progress, isReplaced }) => ({
          ...{ group, topic: of, key },
          standing: progress?.state ?? (isReplaced ? 'replaced' : 'asked for'),
          ...(progress?.failure ? { failure: progress.failure } : {}),
        })),
      },
      () =>
        [
          `${plans.length - left.length} of ${plans.length} keys are free`,
          ...left.map(endText),
        ].join('\n'),
    );
    return left.length === 0 ? exitCodes.done : exitCodes.differs;
  } catch (thrown) {
    if (signal.aborted)
      context.output.note(
        `interrupted: ${asked} of ${plans.length} keys were asked for, which takes effect all the same; list says how they stand`,
      );
    throw kafkaCliError(thrown, `topic ${redriveTopic(topic)}`, connection.brokers);
  }
}

/** The topic is known by name when it is made; that a broker describes it may take a moment. */
async function lookedAt(redrive: KafkaRedrive): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    try {
      if (await redrive.look()) return;
    } catch (thrown) {
      if (attempt === 49) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function makeJournal(admin: KafkaAdmin, letters: string): Promise<void> {
  await admin.createTopics([
    {
      topic: redriveTopic(letters),
      partitions: 1,
      replicationFactor: await admin.replicationFactor(letters),
      configs: { 'cleanup.policy': 'compact' },
    },
  ]);
}

/** Whether each group has a member; says so of those that have none. */
async function groupsHaveMembers(
  context: CliContext,
  admin: KafkaAdmin,
  plans: readonly QueuePlan[],
): Promise<boolean> {
  const names = new Set(plans.map(({ request }) => request.group));
  if (names.size === 0) return true;
  const groups = await admin.groups();
  const alone = [...names].filter(
    (name) => (groups.find(({ group }) => group === name)?.members.length ?? 0) === 0,
  );
  for (const name of alone)
    context.output.note(`group ${name} has no member now: it takes effect when the group starts`);
  return alone.length < names.size;
}

async function open(
  context: CliContext,
  { topic }: ConsumerLetterOptions,
): Promise<{
  readonly redrive: KafkaRedrive;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
}> {
  if (topic === deadLetterTopics(context.settings.topicPrefix).deadLetters.topic)
    throw new CliError(
      'DEAD_LETTERS_OF_RELAY',
      `${topic} has the dead letters of the relay: leave --topic out`,
      { exitCode: exitCodes.usage },
    );
  const connection = context.kafka();
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  const redrive = await openKafkaRedrive({ connection, topic, log: silentLog });
  context.onClose(() => redrive.close());
  return { redrive, connection, admin };
}
