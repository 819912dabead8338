import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { EventType } from '@outbound/schemas';
import type { z } from 'zod';

/** What every entity has on the wire, whatever else it has. */
export interface Entity {
  readonly id: string;
  /** Counts the changes of this entity from 1; the order of its events and its ETag. */
  readonly version: number;
}

/** A table of entities: what the commands need of it. */
export type EntityTable = PgTable & {
  readonly id: PgColumn;
  readonly version: PgColumn;
  readonly createdAt: PgColumn;
  readonly updatedAt: PgColumn;
  readonly deletedAt: PgColumn;
};

/** Columns by their names in the table's declaration. */
export type Row = Readonly<Record<string, unknown>>;

/** A filter of the list: equality with one column. */
export interface Filter {
  readonly column: PgColumn;
  /** What a value may be; also bounds it, before it reaches the database. */
  readonly schema: z.ZodType<string>;
}

/**
 * The declaration of one kind of entity. Commands, routes and documents are derived from it: a new kind is one such value, one
 * table and one event type. Methods and not function properties, so that a list of different aggregates has a type.
 */
export interface Aggregate<EntityRow = Row, Input = unknown> {
  /** Singular, as people say it: `product`. */
  readonly name: string;
  /** Path segment (Zalando rule 134): `products`. */
  readonly plural: string;
  readonly table: EntityTable;
  readonly eventType: EventType;
  /** REST body and event `data` are one schema (Zalando rule 205). */
  readonly entity: z.ZodObject;
  /** What a caller gives to create and replace. */
  readonly input: z.ZodObject;
  /** What a merge patch may hold. */
  readonly patch: z.ZodObject;
  /** Which field to name when Postgres reports this index as violated. */
  readonly uniqueKeys: readonly { readonly index: string; readonly field: string }[];
  readonly filters: Readonly<Record<string, Filter>>;
  /** All columns that the caller decides; null where a field is absent, so that a replacement clears it. */
  toRow(input: Input): Row;
  /** The entity in the order of fields in which it is sent and published. */
  toEntity(row: EntityRow): Entity;
}
