import { sql, type SQL } from 'drizzle-orm';

/**
 * A type's name as part of a statement, for a parameter whose place says no type (a select list would take each for text).
 * @param type as a table's declaration writes it (`getSQLType`), never what a caller sent.
 */
export function sqlType(type: string): SQL {
  // eslint-disable-next-line no-restricted-properties -- a type can be no parameter, and comes from a declaration
  return sql.raw(type);
}
