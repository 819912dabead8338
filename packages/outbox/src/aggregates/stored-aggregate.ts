import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { EventType } from '@outbound/contract';

/** What every entity has on the wire, whatever else it has. */
export interface Entity {
  readonly id: string;
  /** Counts the changes of this entity from 1; the order of its events and its ETag. */
  readonly version: number;
}

/** A table of entities: what writing, backfill and verification need of it. */
export type EntityTable = PgTable & {
  readonly id: PgColumn;
  readonly version: PgColumn;
  readonly createdAt: PgColumn;
  readonly updatedAt: PgColumn;
  readonly deletedAt: PgColumn;
  readonly purgedAt: PgColumn;
  readonly changedIn: PgColumn;
};

/** Columns by their names in the table's declaration. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * How one kind of entity is stored and what reports its changes: enough to say, from its row alone, what the world should know of it.
 * A method and not a function property, so that a list of different aggregates has a type.
 */
export interface StoredAggregate<EntityRow = Row> {
  /** Singular, as people say it: `order`. */
  readonly name: string;
  readonly table: EntityTable;
  readonly eventType: EventType;
  /** The entity in the order of fields in which it is sent and published; of a deleted row, its last state. */
  toEntity(row: EntityRow): Entity;
}
