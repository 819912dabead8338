import { getTableName, sql, type SQL } from 'drizzle-orm';
import type { Search } from './aggregate.ts';
import type { ListFilters } from './list-filters.ts';

/** What the search is asked for these filters, as a `tsquery`; undefined where they ask it nothing. */
export function searchQuery({
  text,
  attributes,
}: Pick<ListFilters, 'text' | 'attributes'>): SQL | undefined {
  const words = text === undefined ? undefined : sql`plainto_tsquery('simple', ${text})`;
  const members =
    attributes.length === 0
      ? undefined
      : sql`${attributes.map(attributeWord).join(' & ')}::tsquery`;
  if (words === undefined || members === undefined) return words ?? members;
  return sql`(${words} && ${members})`;
}

/** At most so many ids that the search finds. Never a scan of the table (`migrations/0026_changes.sql`). */
export function foundIds({ idsFunction }: Search, query: SQL, most: number): SQL {
  return sql`select found.id from ${sql.identifier(idsFunction)}(${query}, ${most}) as found (id)`;
}

/** Whether the search finds this one. */
export function isFound({ table }: Search, id: SQL, query: SQL): SQL {
  const name = sql.identifier(getTableName(table));
  return sql`exists (select from ${name} as searched where searched.id = ${id} and searched.document @@ ${query})`;
}

/** The words of a row, made of it as the search makes them. */
export function documentOf({ documentFunction, documentOf: columns }: Search): SQL {
  return sql`${sql.identifier(documentFunction)}(${sql.join([...columns], sql`, `)})`;
}

/** The word that an attribute is among the words of a document, quoted for a `tsquery`. */
export function attributeWord({ key, value }: ListFilters['attributes'][number]): string {
  const word = `=${key}=${value}`.replaceAll('\\', '\\\\').replaceAll("'", "''");
  return `'${word}'`;
}
