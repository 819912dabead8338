import { storedForm, stringifyJson, type DataOp } from '@outbound/contract';
import type { Entity, Row } from '@outbound/outbox';
import type { z } from 'zod';
import { ApiError } from '../errors.ts';
import { toViolations } from '../violations.ts';
import type { Aggregate } from './aggregate.ts';
import type { EntityRow } from './entity-rows.ts';
import { mergePatch } from './merge-patch.ts';
import { checkReplacement } from './replaced-input.ts';

/*
 * What a change makes of an entity's row: decisions without a database, for one request and for many at once.
 */

/** A version of an entity that is to be written, with its event. */
export interface EntityChange {
  /** All columns. */
  readonly row: EntityRow;
  readonly entity: Entity;
  readonly dataOp: DataOp;
}

/** The columns of a new entity. */
export function newRow(now: Date, aggregate: Aggregate, id: string, input: unknown): EntityRow {
  return {
    ...aggregate.toRow(input),
    id,
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
    purgedAt: null,
  };
}

/** A new entity. */
export function created(now: Date, aggregate: Aggregate, id: string, input: unknown): EntityChange {
  return changeTo(aggregate, 'C', newRow(now, aggregate, id, input));
}

/** A deleted one that is created again under its id: its count of versions goes on. */
export function recreated(
  now: Date,
  aggregate: Aggregate,
  row: EntityRow,
  input: unknown,
): EntityChange {
  const version = row.version + 1;
  return changeTo(aggregate, 'C', { ...newRow(now, aggregate, row.id, input), version });
}

/** What the caller may set is replaced; undefined if that changes no byte of the entity. */
export function replaced(
  now: Date,
  aggregate: Aggregate,
  row: EntityRow,
  input: unknown,
): EntityChange | undefined {
  const after = { ...row, ...aggregate.toRow(input) };
  if (stringifyJson(aggregate.toEntity(after)) === stringifyJson(aggregate.toEntity(row)))
    return undefined;
  return changeTo(aggregate, 'U', { ...after, version: row.version + 1, updatedAt: now });
}

/** Deleted softly: the row keeps its version, and the D event carries the last state with the next one. */
export function deleted(now: Date, aggregate: Aggregate, row: EntityRow): EntityChange {
  const version = row.version + 1;
  return changeTo(aggregate, 'D', { ...row, version, updatedAt: now, deletedAt: now });
}

/**
 * Checks what is put, by itself.
 * @throws ApiError VALIDATION_FAILED if no stored entity could make it acceptable, so that the database is not asked.
 */
export function checkSent(input: z.ZodObject, body: unknown): z.ZodSafeParseResult<unknown> {
  const sent = input.safeParse(body);
  if (!sent.success && !storedForm(input).safeParse(body).success)
    throw brokenSchema('The request breaks the schema', sent.error);
  return sent;
}

/**
 * The input of a put: a field that stays as it is may be what it is (`checkReplacement`).
 * @param row of the live entity, if there is one.
 * @throws ApiError VALIDATION_FAILED
 */
export function putInput(
  aggregate: Aggregate,
  row: Row | undefined,
  sent: z.ZodSafeParseResult<unknown>,
  body: unknown,
): unknown {
  const checked =
    sent.success || row === undefined
      ? sent
      : checkReplacement(aggregate.input, settableFields(aggregate, row), body);
  if (!checked.success) throw brokenSchema('The request breaks the schema', checked.error);
  return checked.data;
}

/** The input that a merge patch makes of the entity. @throws ApiError VALIDATION_FAILED */
export function patchedInput(aggregate: Aggregate, row: Row, patch: unknown): unknown {
  const before = settableFields(aggregate, row);
  const checked = checkReplacement(aggregate.input, before, mergePatch(before, patch));
  if (!checked.success) throw brokenSchema('The patched resource breaks the schema', checked.error);
  return checked.data;
}

/** @param field by which it was looked for. */
export function notFound({ name }: Aggregate, field = 'id'): ApiError {
  return new ApiError('NOT_FOUND', `There is no ${name} with this ${field}.`);
}

function settableFields(aggregate: Aggregate, row: Row): Record<string, unknown> {
  const { shape } = aggregate.input;
  const fields = Object.entries(aggregate.toEntity(row));
  return Object.fromEntries(fields.filter(([field]) => Object.hasOwn(shape, field)));
}

function brokenSchema(what: string, error: z.ZodError): ApiError {
  return new ApiError('VALIDATION_FAILED', `${what}; see violations.`, {
    violations: toViolations('body', error.issues),
  });
}

function changeTo(aggregate: Aggregate, dataOp: DataOp, row: EntityRow): EntityChange {
  return { row, entity: aggregate.toEntity(row), dataOp };
}
