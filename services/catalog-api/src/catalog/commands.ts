import type { Entity } from '@outbound/outbox';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';
import {
  checkSent,
  created,
  deleted,
  notFound,
  patchedInput,
  putInput,
  recreated,
  replaced,
  type EntityChange,
} from './entity-change.ts';
import { insertRow, lockRow, updateRow, type EntityRow } from './entity-rows.ts';
import { RowStatements } from './row-statements.ts';
import { executeOnce, valuesToKeep, type Answer, type IdempotencyRequest } from './idempotency.ts';
import { assertPreconditions, type Preconditions } from './preconditions.ts';
import { readLive, transact, type CommandContext, type UnitOfWork } from './unit-of-work.ts';
import { canWriteInOne, readRow, writeInOne } from './write-in-one.ts';

/*
 * The commands over any aggregate. Each is one transaction, in which version = previous + 1 holds and commit order is version order (I3): a change is decided on the row that it is made of. Either
 * that row is locked first, or it is read, and changed if it still has the version that was read (`write-in-one.ts`): then one statement does it all.
 */

/** What a PUT did. */
export interface Written {
  readonly entity: Entity;
  /** False: replaced, or left as it was because nothing would change. */
  readonly created: boolean;
}

/**
 * Creates an entity with version 1 and an id of the service's. A repeated Idempotency-Key gets the first answer again.
 * @param answer what is sent, and stored in the same transaction.
 * @throws ApiError CONFLICT, IDEMPOTENCY_KEY_REUSED
 */
export async function createEntity(
  context: CommandContext,
  aggregate: Aggregate,
  input: unknown,
  options: {
    readonly idempotency: IdempotencyRequest | undefined;
    readonly answer: (entity: Entity) => Answer;
  },
): Promise<Answer> {
  const { idempotency } = options;
  const create = (): EntityChange => created(context.now(), aggregate, context.newId(), input);
  if (await canWriteInOne(context)) {
    const change = create();
    const answer = options.answer(change.entity);
    const { insert, insertOnce } = RowStatements.of(aggregate);
    const isWritten =
      idempotency === undefined
        ? await writeInOne(context, aggregate, change, insert)
        : await writeInOne(
            context,
            aggregate,
            change,
            insertOnce,
            valuesToKeep(context, idempotency, answer),
          );
    // Else the key is known, and the other way finds what was answered.
    if (isWritten) return answer;
  }
  return transact(context, aggregate, (unit) =>
    executeOnce(unit, idempotency, async () => {
      const change = create();
      if (!(await write(unit, aggregate, undefined, change)))
        throw new Error('a new UUIDv7 is taken');
      return options.answer(change.entity);
    }),
  );
}

/** A change of the entity with this id. */
export interface ChangeRequest<Done> {
  readonly id: string;
  readonly conditions: Preconditions;
  /** With it, a repetition gets the first answer again, although its preconditions hold no more. */
  readonly idempotency: IdempotencyRequest | undefined;
  /** What is sent, and with a key kept in the transaction of the change. */
  readonly answer: (done: Done) => Answer;
}

/**
 * Puts the entity at this id: replaces it, or creates it. A deleted one is created again under its id and its count of versions goes on.
 * A replacement that changes nothing writes no version and no event. What a read showed can be put back: fields that stay as they are may be what they are (`checkReplacement`).
 * @throws ApiError VALIDATION_FAILED, PRECONDITION_FAILED, CONFLICT, IDEMPOTENCY_KEY_REUSED
 */
export async function putEntity(
  context: CommandContext,
  aggregate: Aggregate,
  request: ChangeRequest<Written> & { readonly body: unknown },
): Promise<Answer> {
  const { id, body, conditions } = request;
  const sent = checkSent(aggregate.input, body);
  return change(context, aggregate, request, (row) => {
    const live = row?.deletedAt === null ? row : undefined;
    assertPreconditions(conditions, live?.version ?? null);
    const input = putInput(aggregate, live, sent, body);
    const now = context.now();
    if (live !== undefined) {
      const step = replaced(now, aggregate, live, input);
      const entity = step?.entity ?? aggregate.toEntity(live);
      return { done: { entity, created: false }, step };
    }
    const step =
      row === undefined
        ? created(now, aggregate, id, input)
        : recreated(now, aggregate, row, input);
    return { done: { entity: step.entity, created: true }, step };
  });
}

/**
 * Applies a JSON merge patch to what the caller may set; the result is validated as a whole, but for fields that the patch leaves as they were.
 * @throws ApiError NOT_FOUND, PRECONDITION_FAILED, VALIDATION_FAILED, CONFLICT, IDEMPOTENCY_KEY_REUSED
 */
export function patchEntity(
  context: CommandContext,
  aggregate: Aggregate,
  request: ChangeRequest<Entity> & { readonly patch: unknown },
): Promise<Answer> {
  const { patch, conditions } = request;
  return change(context, aggregate, request, (row) => {
    const live = assertLive(aggregate, row);
    assertPreconditions(conditions, live.version);
    const input = patchedInput(aggregate, live, patch);
    const step = replaced(context.now(), aggregate, live, input);
    return { done: step?.entity ?? aggregate.toEntity(live), step };
  });
}

/**
 * Deletes softly: the row keeps its version, and the D event carries the last state with the next version.
 * @throws ApiError NOT_FOUND, PRECONDITION_FAILED, IDEMPOTENCY_KEY_REUSED
 */
export function deleteEntity(
  context: CommandContext,
  aggregate: Aggregate,
  request: ChangeRequest<void>,
): Promise<Answer> {
  return change(context, aggregate, request, (row) => {
    const live = assertLive(aggregate, row);
    assertPreconditions(request.conditions, live.version);
    return { done: undefined, step: deleted(context.now(), aggregate, live) };
  });
}

/** Gives the live entity. @throws ApiError NOT_FOUND */
export async function getEntity(
  context: CommandContext,
  aggregate: Aggregate,
  id: string,
): Promise<Entity> {
  const row = await readLive(context, aggregate, id);
  if (row === undefined) throw notFound(aggregate);
  return aggregate.toEntity(row);
}

/** What a request makes of a row: what is answered, and what has to be written for it, if anything. */
interface Decided<Done> {
  readonly done: Done;
  readonly step: EntityChange | undefined;
}

/** How often a change is decided on a row that is not locked: whoever is overtaken again and again waits for the row's lock with everybody else, in their order. */
const quickTries = 2;

/**
 * One transaction with the change, or with the look at the answer that it had.
 *
 * Postgres looks for a new row's id first, and at its other keys when it stores it. A twin that came between is met at those: "another one has this sku" would be said of the very entity. So whoever
 * found nothing and then meets a key looks once more.
 * @param decide may be asked again, with the row as somebody else has left it.
 */
async function change<Done>(
  context: CommandContext,
  aggregate: Aggregate,
  request: ChangeRequest<Done>,
  decide: (row: EntityRow | undefined) => Decided<Done>,
): Promise<Answer> {
  let wasThere = true;
  const run = (): Promise<Answer> =>
    changeOnce(context, aggregate, request, (row) => {
      wasThere = row !== undefined;
      return decide(row);
    });
  try {
    return await run();
  } catch (error) {
    if (wasThere || !(error instanceof ApiError) || error.code !== 'CONFLICT') throw error;
    return run();
  }
}

async function changeOnce<Done>(
  context: CommandContext,
  aggregate: Aggregate,
  { id, idempotency, answer }: ChangeRequest<Done>,
  decide: (row: EntityRow | undefined) => Decided<Done>,
): Promise<Answer> {
  if (idempotency === undefined && (await canWriteInOne(context))) {
    const { insertChosen, update } = RowStatements.of(aggregate);
    for (let tries = 0; tries < quickTries; tries += 1) {
      const row = await readRow(context, aggregate, id);
      const { done, step } = decide(row);
      if (
        step === undefined ||
        (row === undefined
          ? await writeInOne(context, aggregate, step, insertChosen)
          : await writeInOne(context, aggregate, step, update, { before: row.version }))
      )
        return answer(done);
    }
  }
  return transact(context, aggregate, (unit) =>
    executeOnce(unit, idempotency, async () => {
      const row = await lockRow(unit.tx, aggregate, id);
      const { done, step } = decide(row);
      if (step !== undefined && !(await write(unit, aggregate, row, step)))
        // Somebody else created it between our look and our insert: there was nothing to lock.
        throw new ApiError(
          'PRECONDITION_FAILED',
          'The resource exists already. Replace it with If-Match.',
        );
      return answer(done);
    }),
  );
}

/** Writes a change of a locked row, or a new one. @returns false if the id of a new one is taken. */
async function write(
  unit: UnitOfWork,
  aggregate: Aggregate,
  row: EntityRow | undefined,
  { row: after, entity, dataOp }: EntityChange,
): Promise<boolean> {
  if (row !== undefined) await updateRow(unit.tx, aggregate, row.id, after);
  else if ((await insertRow(unit.tx, aggregate, after)) === undefined) return false;
  await unit.emit(aggregate, dataOp, entity);
  return true;
}

function assertLive(aggregate: Aggregate, row: EntityRow | undefined): EntityRow {
  if (row?.deletedAt !== null) throw notFound(aggregate);
  return row;
}
