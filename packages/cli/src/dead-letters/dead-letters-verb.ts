import { deadLetterTopics, parkedKeyText } from '@outbound/contract';
import { createDatabase } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { oneAtATime } from '../operations/one-at-a-time.ts';
import { recorded } from '../operations/operation.ts';
import type { AddVerb } from '../verb.ts';
import { awaitRelay, type WrittenKey } from './await-relay.ts';
import { askConsumers, listConsumerLetters, showConsumerLetters } from './consumer-letters.ts';
import { discardKey } from './discard-key.ts';
import { keysJson, keysText, lettersText } from './letters-text.ts';
import { redrivePlan } from './letter-plan.ts';
import {
  readJournal,
  readWaitingKeys,
  type LetterFilter,
  type LetterSource,
  type WaitingKey,
} from './waiting-keys.ts';
import { writeRedrives } from './write-redrives.ts';

interface Options extends LetterFilter {
  readonly topic?: string;
  readonly group?: string;
  readonly payload?: boolean;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/**
 * `outbound dead-letters list|show|redrive|discard`: what the relay could not publish, or with `--topic` what consumers
 * could not handle, and the way back.
 */
export const addDeadLetters: AddVerb = (verb, bind) => {
  const filtered = (name: string, description: string) =>
    verb
      .command(name)
      .description(description)
      .option('--eid <id>', 'the key of this event')
      .option('--key <key>', 'this key')
      .option('--type <name>', 'keys that have a waiting event of this type')
      .option(
        '--topic <name>',
        "a consumer's dead-letter topic, in full, in the place of the relay's",
      )
      .option('--group <id>', 'with --topic: of this consumer group only');
  filtered('list', 'the parked keys, and what waits').action(bind(list));
  filtered('show', 'every letter that waits, in its order')
    .option('--payload', 'with what is in it')
    .action(bind(show));
  filtered(
    'redrive',
    'send the letters of a key again, from the first one: the relay publishes them before anything else of the key, a consumer hands them to its handler; then the key is free',
  )
    .option('--all', 'every parked key')
    .option('--dry-run', 'show what would be done')
    .option('-y, --yes', 'do it without asking')
    .action(bind(redrive));
  filtered(
    'discard',
    'give the letters of a key up, and publish the state that the entity has now instead (S, or D for a deleted row); of a consumer nothing is published, and with --eid only the letters up to that event are given up',
  )
    .option('--all', 'every parked key')
    .option('--dry-run', 'show what would be done')
    .option('-y, --yes', 'do it without asking')
    .action(bind(discard));
};

async function list(context: CliContext, filter: Options): Promise<ExitCode> {
  if (isOfConsumer(filter)) return listConsumerLetters(context, filter);
  const keys = await waiting(context, filter);
  context.output.answer({ keys: keysJson(keys) }, () => keysText(context.output, keys));
  return exitCodes.done;
}

async function show(context: CliContext, filter: Options): Promise<ExitCode> {
  if (isOfConsumer(filter)) return showConsumerLetters(context, filter);
  const { payload: withPayload = false } = filter;
  const keys = await waiting(context, filter);
  const letters = keys.flatMap((key) =>
    key.letters.map(({ payload, headers: _, ...letter }) => ({
      ...letter,
      bytes: payload?.length ?? letter.leftOutBytes ?? 0,
      ...(withPayload ? { payload: payload?.toString() ?? null } : {}),
    })),
  );
  context.output.answer({ letters }, () => lettersText(context.output, keys, { withPayload }));
  return exitCodes.done;
}

async function redrive(context: CliContext, options: Options): Promise<ExitCode> {
  requireNamed(options);
  if (isOfConsumer(options)) return askConsumers(context, 'redrive', options);
  const source = await openSource(context);
  const pool = await context.database();
  return oneAtATime(pool, 'work on dead letters', async () => {
    const plans = (await readWaitingKeys(source, options)).map(redrivePlan);
    const letters = plans.reduce((sum, { rows }) => sum + rows.length, 0);
    for (const { key, rows, stopsAt } of plans)
      context.output.note(
        `${key.aggregateType} ${key.aggregateId}: ${rows.length} of ${key.state.count - key.state.done} letters go again, versions ${versionsText(rows)}${stopsAt === undefined ? ', then its key is free' : `; ${stopsAt}`}`,
      );
    if (letters === 0 || options.dryRun === true) {
      context.output.answer({ keys: plans.length, letters, done: false }, 'nothing was done');
      return plans.length > 0 && options.dryRun !== true ? exitCodes.differs : exitCodes.done;
    }
    await context.confirm(
      `Publish ${letters} letters of ${plans.length} keys?`,
      confirmed(options),
    );
    const parameters = { what: 'redrive', keys: plans.length, letters };
    return recorded(pool, { verb: 'dead-letters', parameters }, async (operation) => {
      const { written, ofPlans, refused } = await writeRedrives(pool, plans, {
        signal: context.signal,
        onWritten: async (sum) => operation.progress({ written: sum }),
      });
      for (const { plan, row, reason } of refused)
        context.output.note(
          `${plan.key.aggregateType} ${plan.key.aggregateId}: event ${row.id} and what is behind it were not written, since the database refuses it: ${reason}; discard, if that cannot be mended`,
        );
      return told(
        context,
        source,
        plans.map(({ key }) => key),
        Array.from(ofPlans, ([{ key }, rows]) => ({ key, upTo: key.state.done + rows })),
        { written },
      );
    });
  });
}

async function discard(context: CliContext, options: Options): Promise<ExitCode> {
  requireNamed(options);
  if (isOfConsumer(options)) return askConsumers(context, 'discard', options);
  const source = await openSource(context);
  const pool = await context.database();
  return oneAtATime(pool, 'work on dead letters', async () => {
    const keys = await readWaitingKeys(source, options);
    for (const key of keys)
      context.output.note(
        `${key.aggregateType} ${key.aggregateId}: ${key.state.count - key.state.done} letters are given up${aggregateOf(key) ? ', and its present state is published' : '; nothing is published instead, since this outbound does not know its table'}`,
      );
    if (keys.length === 0 || options.dryRun === true) {
      context.output.answer({ keys: keys.length, done: false }, 'nothing was done');
      return exitCodes.done;
    }
    await context.confirm(`Give up the letters of ${keys.length} keys?`, confirmed(options));
    const parameters = { what: 'discard', keys: keys.length };
    return recorded(pool, { verb: 'dead-letters', parameters }, async (operation) => {
      const db = createDatabase(pool);
      let snapshots = 0;
      const written: WrittenKey[] = [];
      for (const [index, key] of keys.entries()) {
        if (context.signal.aborted) break;
        const done = await discardKey(db, key, aggregateOf(key));
        snapshots += done.snapshots;
        written.push({ key, upTo: key.state.count });
        if (done.unpublished !== undefined)
          context.output.note(
            `${key.aggregateType} ${key.aggregateId}: nothing is published instead: ${done.unpublished}`,
          );
        await operation.progress({ discarded: index + 1, snapshots });
      }
      return told(context, source, keys, written, { snapshots });
    });
  });
}

async function told(
  context: CliContext,
  source: LetterSource,
  keys: readonly WaitingKey[],
  written: readonly WrittenKey[],
  facts: Readonly<Record<string, number>>,
): Promise<ExitCode> {
  const { signal } = context;
  const still = await awaitRelay(() => readJournal(source), written, { signal }).catch(
    (thrown: unknown) => {
      if (!signal.aborted) throw thrown;
      const sentence =
        'interrupted: what was written takes effect all the same; list says how the keys stand, and the same command goes on';
      context.output.note(sentence);
      throw new CliError('INTERRUPTED', sentence, {
        exitCode: exitCodes.interrupted,
        cause: thrown,
      });
    },
  );
  const parked = keys.filter((key) => still.has(parkedKeyText(key.aggregateType, key.aggregateId)));
  context.output.answer(
    { ...facts, free: keys.length - parked.length, parked: keysJson(parked) },
    () =>
      `${keys.length - parked.length} of ${keys.length} keys are free${parked.length === 0 ? '' : `; still parked, since the relay could not publish the next letter, more came meanwhile, or it is not running: see its log, and run this again\n${keysText(context.output, parked)}`}`,
  );
  return parked.length === 0 ? exitCodes.done : exitCodes.differs;
}

function aggregateOf({ aggregateType }: WaitingKey) {
  return [...storedAggregates.values()].find(
    ({ eventType }) => eventType.dataType === aggregateType,
  );
}

function versionsText(rows: readonly { readonly version: string }[]): string {
  const first = rows[0]?.version ?? '-';
  const last = rows.at(-1)?.version ?? '-';
  return first === last ? first : `${first} to ${last}`;
}

function confirmed({ yes }: Options): { yes: boolean } {
  return { yes: yes === true };
}

async function waiting(context: CliContext, filter: LetterFilter): Promise<readonly WaitingKey[]> {
  return readWaitingKeys(await openSource(context), filter);
}

/** Whether a dead-letter topic of consumers is meant. @throws CliError USAGE for a group without a topic. */
function isOfConsumer<Given extends Options>(
  options: Given,
): options is Given & { readonly topic: string } {
  if (options.topic === undefined && options.group !== undefined)
    throw new CliError('USAGE', '--group is for the letters of consumers: name their --topic', {
      exitCode: exitCodes.usage,
    });
  return options.topic !== undefined;
}

/** @throws CliError DEAD_LETTERS_UNNAMED if nothing says which keys are meant. */
function requireNamed({ all, eid, key, type }: Options): void {
  if (all !== true && eid === undefined && key === undefined && type === undefined)
    throw new CliError('DEAD_LETTERS_UNNAMED', 'say which keys: --eid, --key, --type or --all', {
      exitCode: exitCodes.usage,
    });
}

async function openSource(context: CliContext): Promise<LetterSource> {
  const connection = context.kafka();
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  const topics = deadLetterTopics(context.settings.topicPrefix);
  return { connection, admin, topics, signal: context.signal };
}
