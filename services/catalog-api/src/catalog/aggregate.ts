import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Row, StoredAggregate } from '@outbound/outbox';
import type { z } from 'zod';

/** A filter of the list: one column is one of some values. There is an index over column and id, among live rows. */
export interface Filter {
  readonly column: PgColumn;
  /** What a value may be; also bounds it, before it reaches the database. */
  readonly schema: z.ZodType<string>;
  /** A value may hold a comma: then several are several parameters, and never one with commas. */
  readonly hasCommas?: boolean;
}

/** An amount of money that is filtered by range and sorted by. There is an index over currency, amount and id, among live rows that have one. */
export interface MoneyFilter {
  /** `price` gives `price_min`, `price_max`, `price_currency` and the order `price`. */
  readonly name: string;
  readonly amount: PgColumn;
  readonly currency: PgColumn;
}

/** Where entities are found by words and attributes; see `search-index.ts`. */
export interface Search {
  readonly table: PgTable & { readonly id: PgColumn; readonly document: PgColumn };
  /** Names of the columns that the function of the document takes, and the function. */
  readonly documentOf: readonly PgColumn[];
  readonly documentFunction: string;
  /** The column with the attributes whose words are in the document. */
  readonly attributes: PgColumn;
  /** The function that gives ids by words. */
  readonly idsFunction: string;
}

/**
 * References are held by triggers of the tables, whoever writes and however many at once (`migrations/0024_references.sql`): a path that writes rows has nothing to call. What is declared here is what to say when one
 * refuses, by the name of its constraint.
 */
export interface References {
  /** Fields that name another entity, which has to be there when the field is set. */
  readonly to: readonly {
    readonly constraint: string;
    readonly field: string;
    /** The other kind, and its field: `category`, `code`. */
    readonly kind: string;
    readonly kindField: string;
  }[];
  /** Keeps an entity, and the field that it is named by, as long as a live one refers to it. */
  readonly from: readonly { readonly constraint: string; readonly field: string }[];
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
  /** By the name of their parameter; those that leave the fewest come first. */
  readonly filters: Readonly<Record<string, Filter>>;
  readonly money?: MoneyFilter;
  readonly search?: Search;
  /** What the entity refers to, and who refers to it. */
  readonly references: References;
  /** What is left of an entity whose data was dropped: as little as the table takes. */
  readonly purged: Input;
  /** All columns that the caller decides; null where a field is absent, so that a replacement clears it. */
  toRow(input: Input): Row;
}
