import { sqlType } from '@outbound/outbox';
import { idempotencyKeyTable as keys } from '@outbound/schemas';
import { getTableColumns, Param, sql, type SQL } from 'drizzle-orm';

/** Of the expression that `keepAnswer` ends with: one row if the key was new, else none. */
export const keepAnswerName = sql.identifier('kept');

/** What the placeholders of `keepAnswer` begin with. */
const prefix = 'kept.';

/**
 * Common table expressions that keep an answer under its Idempotency-Key, if nothing is kept under it yet, for a statement that does the work `from kept`.
 *
 * **Order**: the lock comes first, the same as in `executeOnce`, so that both ways wait for each other. Whoever has waited does not see in its snapshot what was committed meanwhile; `on conflict` does,
 * since it asks the index.
 */
export function keepAnswer(): SQL {
  const columns = Object.entries(getTableColumns(keys));
  const names = columns.map(([, { name }]) => sql.identifier(name));
  const values = columns.map(
    ([key, column]) =>
      sql`${new Param(sql.placeholder(`${prefix}${key}`), column)}::${sqlType(column.getSQLType())}`,
  );
  return sql`key_lock as materialized (select pg_advisory_xact_lock(hashtextextended(${sql.placeholder(`${prefix}lock`)}::text, 0))),
    ${keepAnswerName} as (insert into ${keys} (${sql.join(names, sql`, `)}) select ${sql.join(values, sql`, `)} from key_lock
      on conflict (${sql.identifier(keys.scope.name)}, ${sql.identifier(keys.key.name)}) do nothing returning 1)`;
}

/** The values of its placeholders. @param lock what names the lock, as in `executeOnce`. */
export function keptValues(
  lock: string,
  row: typeof keys.$inferInsert,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = { [`${prefix}lock`]: lock };
  for (const [key, value] of Object.entries(row)) values[`${prefix}${key}`] = value;
  return values;
}
