import { RelayError } from '../errors.ts';
import { lsnToText, noLsn, type Lsn } from './lsn.ts';
import { defaultOutboxTable, outboxColumns, type OutboxTable } from './outbox-table.ts';
import {
  decodeBegin,
  decodeCommit,
  decodeRelation,
  insertRelationId,
  messageKind,
  readInsertedRow,
  type BeginMessage,
  type RelationMessage,
} from './pgoutput.ts';
import type { SourcePosition } from './source-position.ts';
import { Tuple } from './tuple.ts';

/** What the assembler tells, synchronously and in commit order: begin, its rows, commit. */
export interface TransactionListener {
  begin(transaction: BeginMessage): void;
  /** The outbox as the rows that follow were written: before the first row, and again whenever it may have changed. */
  relation(outbox: RelationMessage): void;
  /** One inserted row of the outbox. `tuple` is valid only during the call. */
  insert(tuple: Tuple, position: SourcePosition, commitTimeMs: number): void;
  /** The transaction is complete; `commitEndLsn` is what to acknowledge once it is in Kafka. */
  commit(commitEndLsn: Lsn): void;
}

/**
 * `lookalike`: another table with all the columns of the outbox: a partition, or the outbox renamed. Postgres announces a partition
 * even when its rows come under the root's name, so only a row of it says that something is wrong.
 */
interface KnownRelation {
  readonly relation: RelationMessage;
  readonly role: 'outbox' | 'lookalike' | 'other';
}

/**
 * pgoutput messages → the outbox rows of each committed transaction, streamed: it holds the relations and one cursor, never a row, so
 * a transaction of any size passes through (I9). Only inserts into the outbox count; the index in a position counts them from 0.
 * One for each connection: Postgres announces every relation again on a new one.
 */
export class TransactionAssembler {
  readonly #outbox: OutboxTable;
  readonly #listener: TransactionListener;
  readonly #tuple = new Tuple();
  readonly #relations = new Map<number, KnownRelation>();
  /** The relation that the listener was told of last. */
  #current: RelationMessage | undefined;
  #transaction: BeginMessage | undefined;
  #index = 0;
  #lastCommitLsn: Lsn = noLsn;

  /** `outbox` defaults to `public.outbox`. */
  constructor(listener: TransactionListener, outbox: OutboxTable = defaultOutboxTable) {
    this.#outbox = outbox;
    this.#listener = listener;
  }

  /** True between a transaction's begin and its commit. */
  get isInTransaction(): boolean {
    return this.#transaction !== undefined;
  }

  /**
   * Takes the next message; nothing of `bytes` is kept.
   * @throws RelayError DECODE_PROTOCOL, also when the order of messages is wrong; SOURCE_PUBLICATION_WRONG when a partition is
   * published under its own name, which would make its rows invisible; and whatever the listener throws.
   */
  read(bytes: Buffer): void {
    const kind = messageKind(bytes);
    switch (kind) {
      case 'insert':
        return this.#insert(bytes);
      case 'begin':
        return this.#begin(decodeBegin(bytes));
      case 'commit':
        return this.#commit(bytes);
      case 'relation':
        return this.#relation(decodeRelation(bytes));
      case 'origin':
      case 'type':
      case 'update':
      case 'delete':
      case 'truncate':
      case 'message':
        // The outbox is its inserts: housekeeping deletes, drops and truncates are no events.
        return;
    }
  }

  #begin(begin: BeginMessage): void {
    if (this.#transaction)
      throw disorder(
        `transaction ${begin.xid} begins inside transaction ${this.#transaction.xid}, which has not committed`,
      );
    if (begin.commitLsn <= this.#lastCommitLsn)
      throw disorder(
        `transaction ${begin.xid} commits at ${lsnToText(begin.commitLsn)}, not after ${lsnToText(this.#lastCommitLsn)}, where the one before it did`,
      );
    this.#transaction = begin;
    this.#index = 0;
    this.#listener.begin(begin);
  }

  #relation(relation: RelationMessage): void {
    const role = this.#role(relation);
    this.#relations.set(relation.relationId, { relation, role });
    if (role === 'outbox') this.#use(relation);
  }

  #role({ schema, name, columns }: RelationMessage): KnownRelation['role'] {
    if (schema === this.#outbox.schema && name === this.#outbox.name) return 'outbox';
    const names = new Set(columns.map((column) => column.name));
    return outboxColumns.every((column) => names.has(column)) ? 'lookalike' : 'other';
  }

  #use(outbox: RelationMessage): void {
    this.#current = outbox;
    this.#listener.relation(outbox);
  }

  #insert(bytes: Buffer): void {
    const transaction = this.#transaction;
    const relationId = insertRelationId(bytes);
    if (!transaction) throw disorder(`an insert into relation ${relationId} outside a transaction`);
    const known = this.#relations.get(relationId);
    if (!known) throw disorder(`an insert into relation ${relationId}, which was never announced`);
    if (known.role === 'other') return;
    const { relation } = known;
    if (known.role === 'lookalike') throw this.#lookalike(relation);
    // Dropped and created again: two OIDs under one name, and a row of the older one after the newer was announced.
    if (relation !== this.#current) this.#use(relation);
    readInsertedRow(bytes, this.#tuple);
    if (this.#tuple.columnCount !== relation.columns.length)
      throw disorder(
        `a row with ${this.#tuple.columnCount} columns for "${relation.name}", which was announced with ${relation.columns.length}`,
      );
    const position = { commitLsn: transaction.commitLsn, index: this.#index };
    this.#index += 1;
    this.#listener.insert(this.#tuple, position, transaction.commitTimeMs);
  }

  #lookalike({ schema, name }: RelationMessage): RelayError {
    return new RelayError(
      'SOURCE_PUBLICATION_WRONG',
      `table "${schema}"."${name}" is published under its own name and has the columns of the outbox, ` +
        `but the outbox is "${this.#outbox.schema}"."${this.#outbox.name}": its rows would be lost. ` +
        'Set publish_via_partition_root = true if it is a partition; else take it out of the publication, or name it as the outbox',
    );
  }

  #commit(bytes: Buffer): void {
    const transaction = this.#transaction;
    const commit = decodeCommit(bytes);
    if (!transaction)
      throw disorder(`a commit at ${lsnToText(commit.commitLsn)} outside a transaction`);
    if (commit.commitLsn !== transaction.commitLsn)
      throw disorder(
        `transaction ${transaction.xid} announced its commit at ${lsnToText(transaction.commitLsn)} and has it at ${lsnToText(commit.commitLsn)}`,
      );
    if (commit.commitEndLsn <= commit.commitLsn)
      throw disorder(
        `a commit record at ${lsnToText(commit.commitLsn)} ends at ${lsnToText(commit.commitEndLsn)}, which is not after it`,
      );
    this.#transaction = undefined;
    this.#lastCommitLsn = commit.commitLsn;
    this.#listener.commit(commit.commitEndLsn);
  }
}

function disorder(what: string): RelayError {
  return new RelayError('DECODE_PROTOCOL', what);
}
