import { deadLetterTopics, parkedKeyText, type Route } from '@outbound/contract';
import { createDatabase, type StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import type pg from 'pg';
import { uuidv7 } from 'uuidv7';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { discardAllRow } from '../dead-letters/letter-plan.ts';
import { readJournal, type LetterSource } from '../dead-letters/waiting-keys.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { oneAtATime } from '../operations/one-at-a-time.ts';
import { recorded } from '../operations/operation.ts';
import type { AddVerb } from '../verb.ts';
import { clearLetters, findLetters, type LetterTopic } from './clear-letters.ts';
import { deleteHistory } from './delete-history.ts';
import { eraseEntity } from './erase-entity.ts';
import { boundSettings } from './erasure-bounds.ts';
import { erasureAnswer, erasureText, type Erasure, type TopicBound } from './erasure-text.ts';
import { forgetEvents } from './forget-events.ts';

interface Options {
  readonly deleteRecords?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** An entity that is to be erased, and everything that it takes. */
interface Job {
  readonly context: CliContext;
  readonly pool: pg.Pool;
  readonly aggregate: StoredAggregate;
  readonly id: string;
  readonly admin: KafkaAdmin;
  readonly letters: LetterSource;
  readonly letterTopic: LetterTopic;
  /** Where its events go, topics in full. */
  readonly routes: readonly Route[];
  readonly options: Options;
}

/** `outbound erase AGGREGATE ID`: an entity's data is gone from wherever the pipeline has it, or says when it will be. */
export const addErase: AddVerb = (verb, bind) => {
  verb
    .argument('<aggregate>', [...storedAggregates.keys()].join(', '))
    .argument('<id>', 'its id')
    .option(
      '--delete-records',
      'also delete the beginning of its partition of the change topic, up to its deletion: what other entities did before is gone for readers, too',
    )
    .option('--dry-run', 'show what would be done')
    .option('-y, --yes', 'do it without asking')
    .addHelpText(
      'after',
      '\nExit code 3: something is still there, such as events that the relay has not published yet; the answer says what, and the same command goes on.\nWhat the bounds are, and what is left to you (consumers, backups, archived log): docs/erasure.md.',
    )
    .action(bind(erase));
};

async function erase(
  context: CliContext,
  name: string,
  id: string,
  options: Options,
): Promise<ExitCode> {
  const aggregate = storedAggregates.get(name);
  if (!aggregate)
    throw new CliError(
      'AGGREGATE_UNKNOWN',
      `there is no aggregate "${name}"; there are ${[...storedAggregates.keys()].join(', ')}`,
      { exitCode: exitCodes.usage },
    );
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    throw new CliError('ID_INVALID', `"${id}" is no id of a ${name}: a UUID in lower case`, {
      exitCode: exitCodes.usage,
    });
  const connection = context.kafka();
  const routes =
    [...(await context.eventTypes()).values()].find(
      (type) => type.name === aggregate.eventType.name,
    )?.routes ?? [];
  const pool = await context.database();
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  const topics = deadLetterTopics(context.settings.topicPrefix);
  const { signal } = context;
  const job: Job = {
    ...{ context, pool, aggregate, id, admin, routes, options },
    letters: { connection, admin, topics, signal },
    letterTopic: { connection, admin, topic: topics.deadLetters.topic, signal },
  };
  // Neither may write the data again meanwhile.
  return oneAtATime(pool, 'recover', () =>
    oneAtATime(pool, 'work on dead letters', () => run(job)),
  );
}

async function run(job: Job): Promise<ExitCode> {
  const { context, pool, aggregate, id, options } = job;
  const { name, eventType } = aggregate;
  const { dataType } = eventType;
  const isMeant = (letter: { readonly aggregateType: string; readonly aggregateId: string }) =>
    letter.aggregateType === dataType && letter.aggregateId === id;
  const bounds = await topicBounds(job);
  context.output.note(await previewText(job, (await findLetters(job.letterTopic, isMeant)).count));
  if (options.dryRun === true) {
    context.output.answer({ aggregate: name, id, done: false }, 'nothing was done');
    return exitCodes.done;
  }
  await context.confirm(`Erase ${name} ${id}? Nothing brings it back.`, {
    yes: options.yes === true,
  });
  const parameters = { aggregate: name, id, deleteRecords: options.deleteRecords === true };
  return recorded(pool, { verb: 'erase', parameters }, async (operation) => {
    const parked = (await readJournal(job.letters)).get(parkedKeyText(dataType, id));
    const discard =
      parked &&
      discardAllRow({ ...parked, aggregateType: dataType, aggregateId: id, letters: [] }, uuidv7());
    const erased = await eraseEntity(createDatabase(pool), aggregate, id, discard);
    if (!erased)
      throw new CliError('ENTITY_UNKNOWN', `there is no ${name} ${id}; nothing was done`, {
        exitCode: exitCodes.usage,
      });
    await operation.progress({ version: erased.version });
    const answers = await forgetAnswers(pool, id);
    const events = await forgetEvents(pool, { dataType, id, version: erased.version }, context);
    const isParked = (await readJournal(job.letters)).has(parkedKeyText(dataType, id));
    // As long as letters wait, or may be read again by a relay that goes on, they are needed.
    const isPublished = events.waitsFor === undefined && !isParked;
    const letters = isPublished ? await clearLetters(job.letterTopic, isMeant) : undefined;
    const deleted =
      isPublished && options.deleteRecords === true ? await deleteChanges(job, erased) : [];
    const erasure: Erasure = {
      ...{ aggregate: name, id, version: erased.version, at: erased.at },
      ...{ answers, outboxRows: events.rows, waitsFor: events.waitsFor, isParked },
      ...{ letters, deleted, bounds },
      deletesRecords: options.deleteRecords === true,
    };
    await operation.progress({
      ...{ version: erased.version, answers, outboxRows: events.rows },
      letters: letters?.removed ?? null,
    });
    context.output.answer(erasureAnswer(erasure), () => erasureText(erasure));
    return isPublished ? exitCodes.done : exitCodes.differs;
  });
}

async function previewText(
  { pool, aggregate, id, options }: Job,
  letters: number,
): Promise<string> {
  const { rows } = await pool.query<{ n: string }>(
    'select count(*) as n from outbox where aggregatetype = $1 and aggregateid = $2',
    [aggregate.eventType.dataType, id],
  );
  return `${aggregate.name} ${id}: its row is emptied and deleted as its next version; ${rows[0]?.n ?? 0} events in the outbox, ${letters} dead letters and the kept answers that show it are erased${
    options.deleteRecords === true
      ? '; and the beginning of its partition of the change topic is deleted, with the changes of all other entities there'
      : ''
  }`;
}

/** Answers for Idempotency-Keys that show the entity, and the planner's samples of its values. */
async function forgetAnswers(pool: pg.Pool, id: string): Promise<number> {
  const { rows } = await pool.query<{ n: string }>('select public.idempotency_forget($1) as n', [
    id,
  ]);
  await pool.query('select public.erasure_analyze()');
  return Number(rows[0]?.n ?? 0);
}

async function deleteChanges(
  { admin, letterTopic, routes, id }: Job,
  erased: { readonly version: number; readonly at: Date },
) {
  const deleted = [];
  for (const { topic, cleanupPolicy } of routes) {
    if (cleanupPolicy !== 'delete') continue;
    const history = await deleteHistory({ ...letterTopic, admin, topic }, id, erased);
    if (history) deleted.push(history);
  }
  return deleted;
}

async function topicBounds({ admin, routes }: Job): Promise<readonly TopicBound[]> {
  const bounds = [];
  for (const { topic, cleanupPolicy } of routes)
    bounds.push({
      topic,
      cleanupPolicy,
      settings: await admin.topicConfig(topic, boundSettings),
    });
  return bounds;
}
