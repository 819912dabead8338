import { stringifyJson, type Entity } from '@outbound/schemas';
import { ApiError } from '../errors.ts';
import type { Aggregate } from './aggregate.ts';
import { checkSent, newRow, notFound, patchedInput, putInput } from './entity-change.ts';
import { insertRow, lockRow, selectLive, updateRow, type EntityRow } from './entity-rows.ts';
import { executeOnce, type Answer, type IdempotencyRequest } from './idempotency.ts';
import { assertPreconditions, type Preconditions } from './preconditions.ts';
import { read, transact, type CommandContext, type UnitOfWork } from './unit-of-work.ts';

/*
 * The commands over any aggregate. Each is one transaction. In each that changes an existing entity the lock comes first,
 * then the preconditions, then the change, then the event: so version = previous + 1 holds, and commit order is version order (I3).
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
export function createEntity(
  context: CommandContext,
  aggregate: Aggregate,
  input: unknown,
  options: {
    readonly idempotency: IdempotencyRequest | undefined;
    readonly answer: (entity: Entity) => Answer;
  },
): Promise<Answer> {
  return transact(context, aggregate, (unit) =>
    executeOnce(unit, options.idempotency, async () => {
      const entity = await insertEntity(unit, aggregate, context.newId(), input);
      if (entity === undefined) throw new Error('a new UUIDv7 is taken');
      return options.answer(entity);
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
export function putEntity(
  context: CommandContext,
  aggregate: Aggregate,
  request: ChangeRequest<Written> & { readonly body: unknown },
): Promise<Answer> {
  const { id, body, conditions } = request;
  const sent = checkSent(aggregate.input, body);
  return change(context, aggregate, request, async (unit) => {
    const row = await lockRow(unit.tx, aggregate, id);
    assertPreconditions(conditions, liveVersion(row));
    const live = row?.deletedAt === null ? row : undefined;
    const input = putInput(aggregate, live, sent, body);
    if (live !== undefined)
      return { entity: await replace(unit, aggregate, live, input), created: false };
    const entity =
      row === undefined
        ? await insertEntity(unit, aggregate, id, input)
        : await recreate(unit, aggregate, row, input);
    // Somebody else created it between our look and our insert: there was nothing to lock.
    if (entity === undefined)
      throw new ApiError(
        'PRECONDITION_FAILED',
        'The resource exists already. Replace it with If-Match.',
      );
    return { entity, created: true };
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
  const { id, patch, conditions } = request;
  return change(context, aggregate, request, async (unit) => {
    const row = await lockLive(unit, aggregate, id);
    assertPreconditions(conditions, row.version);
    return replace(unit, aggregate, row, patchedInput(aggregate, row, patch));
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
  const { id, conditions } = request;
  return change(context, aggregate, request, async (unit) => {
    const row = await lockLive(unit, aggregate, id);
    assertPreconditions(conditions, row.version);
    const now = context.now();
    const deleted = await updateRow(unit.tx, aggregate, id, {
      version: row.version + 1,
      updatedAt: now,
      deletedAt: now,
    });
    await unit.emit(aggregate, 'D', aggregate.toEntity(deleted));
  });
}

/** One transaction with the change, or with the look at the answer that it had. */
function change<Done>(
  context: CommandContext,
  aggregate: Aggregate,
  { idempotency, answer }: ChangeRequest<Done>,
  work: (unit: UnitOfWork) => Promise<Done>,
): Promise<Answer> {
  return transact(context, aggregate, (unit) =>
    executeOnce(unit, idempotency, async () => answer(await work(unit))),
  );
}

/** Gives the live entity. @throws ApiError NOT_FOUND */
export async function getEntity(
  context: CommandContext,
  aggregate: Aggregate,
  id: string,
): Promise<Entity> {
  const row = await read(context, aggregate, (db) => selectLive(db, aggregate, id));
  if (row === undefined) throw notFound(aggregate);
  return aggregate.toEntity(row);
}

async function insertEntity(
  unit: UnitOfWork,
  aggregate: Aggregate,
  id: string,
  input: unknown,
): Promise<Entity | undefined> {
  const row = await insertRow(unit.tx, aggregate, newRow(unit.context.now(), aggregate, id, input));
  if (row === undefined) return undefined;
  const entity = aggregate.toEntity(row);
  await unit.emit(aggregate, 'C', entity);
  return entity;
}

async function recreate(
  unit: UnitOfWork,
  aggregate: Aggregate,
  row: EntityRow,
  input: unknown,
): Promise<Entity> {
  const { id: _id, ...columns } = newRow(unit.context.now(), aggregate, row.id, input);
  const entity = aggregate.toEntity(
    await updateRow(unit.tx, aggregate, row.id, { ...columns, version: row.version + 1 }),
  );
  await unit.emit(aggregate, 'C', entity);
  return entity;
}

/** Replaces what the caller may set, if that changes a byte of the entity. */
async function replace(
  unit: UnitOfWork,
  aggregate: Aggregate,
  row: EntityRow,
  input: unknown,
): Promise<Entity> {
  const before = aggregate.toEntity(row);
  const columns = aggregate.toRow(input);
  const after = aggregate.toEntity({ ...row, ...columns });
  if (stringifyJson(after) === stringifyJson(before)) return before;
  const entity = aggregate.toEntity(
    await updateRow(unit.tx, aggregate, row.id, {
      ...columns,
      version: row.version + 1,
      updatedAt: unit.context.now(),
    }),
  );
  await unit.emit(aggregate, 'U', entity);
  return entity;
}

async function lockLive(unit: UnitOfWork, aggregate: Aggregate, id: string): Promise<EntityRow> {
  const row = await lockRow(unit.tx, aggregate, id);
  if (row === undefined || row.deletedAt !== null) throw notFound(aggregate);
  return row;
}

function liveVersion(row: EntityRow | undefined): number | null {
  return row === undefined || row.deletedAt !== null ? null : row.version;
}
