import {
  arrayText,
  inTransaction,
  outboxRow,
  readStatement,
  type Database,
  type EventToEmit,
  type OutboxRow,
  type Query,
  type Transaction,
  type TransactionOptions,
  type TransactionTimeouts,
  type Entity,
  type Row,
} from '@outbound/outbox';
import type { DataOp } from '@outbound/contract';
import type { Aggregate } from './aggregate.ts';
import { fromDatabaseError } from './database-errors.ts';
import { selectLive } from './entity-rows.ts';
import { entityText } from './entity-text.ts';
import { RowStatements } from './row-statements.ts';
import { SharedReads } from './shared-reads.ts';

/** What a command needs of its surroundings. Time and ids come in, so that a test decides them. */
export interface CommandContext {
  readonly db: Database;
  /** The timeouts that have to go with each transaction, where the connections do not keep them (`BoundedPool`). Throws what opening a connection throws. */
  readonly timeouts: () => Promise<TransactionTimeouts | undefined>;
  readonly now: () => Date;
  /** UUIDv7. */
  readonly newId: () => string;
  readonly flowId: string;
  /** Who asks; undefined where nobody is asked who they are. */
  readonly principal: string | undefined;
  /** W3C trace context of the request, stored with its events and published unchanged. */
  readonly traceparent: string | undefined;
  /** Told of each event after its transaction committed. */
  readonly onCommitted: (event: { readonly eventType: string; readonly dataOp: DataOp }) => void;
}

/** One open transaction. */
export interface UnitOfWork {
  readonly tx: Transaction;
  readonly context: CommandContext;
  /** Puts the entity's new state into the outbox. **Order**: under the entity's row lock, so commit order is version order (I3). */
  readonly emit: (aggregate: Aggregate, dataOp: DataOp, entity: Entity) => Promise<void>;
  /** As `emit`, several with one statement, in their order. @param rows of `toOutboxRow`. */
  readonly emitRows: (aggregate: Aggregate, rows: readonly OutboxRow[]) => Promise<void>;
  /** A statement past drizzle. */
  readonly query: Query;
}

/** The outbox row of an entity's new state. @throws PipelineError EVENT_TOO_LARGE, before anything is written. */
export function toOutboxRow(
  context: CommandContext,
  { eventType }: Aggregate,
  dataOp: DataOp,
  entity: Entity,
): OutboxRow {
  return outboxRow(eventType, toEvent(context, dataOp, entity));
}

function toEvent(
  { flowId, traceparent }: CommandContext,
  dataOp: DataOp,
  entity: Entity,
): EventToEmit {
  return {
    aggregateId: entity.id,
    version: entity.version,
    dataOp,
    data: entity,
    dataText: entityText(entity),
    // What a caller sent was checked as such before it became a row; the rest of the row is older, perhaps older than a rule.
    origin: dataOp === 'C' ? 'input' : 'stored',
    flowId,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/**
 * Runs `work` in one transaction with its events (I10) and gives its result after the commit. `work` may run again after a
 * serialization failure, so it must not keep anything outside.
 * @throws ApiError; what the database says is translated here.
 */
export async function transact<Result>(
  context: CommandContext,
  aggregate: Aggregate,
  work: (unit: UnitOfWork) => Promise<Result>,
): Promise<Result> {
  const { db, onCommitted } = context;
  let events: { eventType: string; dataOp: DataOp }[] = [];
  let result: Result;
  try {
    result = await inTransaction(
      db,
      async ({ tx, emit, emitRows, query }) => {
        events = [];
        return work({
          tx,
          context,
          query,
          emit: async ({ eventType }, dataOp, entity) => {
            await emit(eventType, toEvent(context, dataOp, entity));
            events.push({ eventType: eventType.name, dataOp });
          },
          emitRows: async ({ eventType }, rows) => {
            await emitRows(rows);
            for (const { dataOp } of rows) events.push({ eventType: eventType.name, dataOp });
          },
        });
      },
      await transactionOptions(context),
    );
  } catch (error) {
    throw fromDatabaseError(error, aggregate);
  }
  for (const event of events) onCommitted(event);
  return result;
}

/** What reads without a change. */
export type Reading = Pick<Transaction, 'select' | 'execute'>;

/**
 * Reads outside of any change, with what the database says translated.
 * @param options.atOnce all statements see the same moment.
 * @throws ApiError
 */
export async function read<Result>(
  context: Pick<CommandContext, 'db' | 'timeouts'>,
  aggregate: Aggregate,
  work: (db: Reading) => Promise<Result>,
  { atOnce = false }: { readonly atOnce?: boolean } = {},
): Promise<Result> {
  const { db } = context;
  try {
    const options = await transactionOptions(context);
    if (atOnce)
      return await inTransaction(db, ({ tx }) => work(tx), {
        ...options,
        isolationLevel: 'repeatable read',
      });
    // A transaction for the sake of its timeouts alone: two round trips more.
    if (options.timeouts !== undefined)
      return await inTransaction(db, ({ tx }) => work(tx), options);
    return await work(db);
  } catch (error) {
    throw fromDatabaseError(error, aggregate);
  }
}

/**
 * The live entity's row, or undefined: one statement in one round trip, shared with whoever asks in the same turn (`SharedReads`), where the connections keep their timeouts.
 * @throws ApiError
 */
export async function readLive(
  context: Pick<CommandContext, 'db' | 'timeouts'>,
  aggregate: Aggregate,
  id: string,
): Promise<Row | undefined> {
  const options = await transactionOptions(context);
  if (options.timeouts !== undefined)
    return read(context, aggregate, (db) => selectLive(db, aggregate, id));
  try {
    return await liveReads(context.db, aggregate).read(id);
  } catch (error) {
    throw fromDatabaseError(error, aggregate);
  }
}

const sharedReads = new WeakMap<Database, Map<Aggregate, SharedReads<Row>>>();

function liveReads(db: Database, aggregate: Aggregate): SharedReads<Row> {
  const ofDatabase = sharedReads.get(db) ?? new Map<Aggregate, SharedReads<Row>>();
  sharedReads.set(db, ofDatabase);
  const known = ofDatabase.get(aggregate);
  if (known !== undefined) return known;
  const statements = RowStatements.of(aggregate);
  const reads = new SharedReads<Row>(async (ids) => {
    const [id] = ids;
    const question =
      ids.length === 1
        ? statements.live.bind({ id })
        : statements.manyLive.bind({ ids: arrayText(ids) });
    const rows = (await readStatement(db, question)).map((row) => statements.toRow(row));
    return new Map(rows.map((row) => [String(row['id']), row]));
  });
  ofDatabase.set(aggregate, reads);
  return reads;
}

/**
 * Of every transaction. The level is said each time, whatever the default of database or role is: whoever waited for a lock has to see what was committed
 * meanwhile. In a snapshot from before, the second of two twins would not find the answer of the first.
 */
export async function transactionOptions({
  timeouts,
}: Pick<CommandContext, 'timeouts'>): Promise<TransactionOptions> {
  const needed = await timeouts();
  return {
    isolationLevel: 'read committed',
    // Where they have to go along there is a pooler, whose connections keep nothing.
    prepares: needed === undefined,
    ...(needed === undefined ? {} : { timeouts: needed }),
  };
}
