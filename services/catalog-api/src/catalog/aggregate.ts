import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Row, StoredAggregate } from '@outbound/schemas';
import type { z } from 'zod';

/** A filter of the list: equality with one column. */
export interface Filter {
  readonly column: PgColumn;
  /** What a value may be; also bounds it, before it reaches the database. */
  readonly schema: z.ZodType<string>;
}

/**
 * The declaration of one kind of entity over REST, beside how it is stored. Commands, routes and documents are derived from it: a new kind is one such value, one
 * table and one event type. Methods and not function properties, so that a list of different aggregates has a type.
 */
export interface Aggregate<EntityRow = Row, Input = unknown> extends StoredAggregate<EntityRow> {
  /** Path segment (Zalando rule 134): `products`. */
  readonly plural: string;
  /** What a caller's token must grant (Zalando rule 105): `catalog.product.read`, `catalog.product.write`. */
  readonly scopes: { readonly read: string; readonly write: string };
  /** REST body and event `data` are one schema (Zalando rule 205). */
  readonly entity: z.ZodObject;
  /** What a caller gives to create and replace. */
  readonly input: z.ZodObject;
  /** What a merge patch may hold. */
  readonly patch: z.ZodObject;
  /** Bodies that the API takes as they are, for the document. The patch fits what `input` creates. */
  readonly examples: { readonly input: Row; readonly patch: Row };
  /** Which field to name when Postgres reports this index as violated. */
  readonly uniqueKeys: readonly { readonly index: string; readonly field: string }[];
  readonly filters: Readonly<Record<string, Filter>>;
  /** What is left of an entity whose data was dropped: as little as the table takes. */
  readonly purged: Input;
  /** All columns that the caller decides; null where a field is absent, so that a replacement clears it. */
  toRow(input: Input): Row;
}
