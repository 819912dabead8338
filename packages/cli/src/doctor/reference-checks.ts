import type pg from 'pg';
import { ok, warning, type Finding } from './finding.ts';

/** What refers to what by a column of texts, both live; the column has an index among live rows. */
const references = [{ table: 'product', column: 'category', of: 'category', by: 'code' }] as const;

/** Values that are named. */
const shown = 5;
/** Different values that are looked at. */
const lookedAt = 10_000;

/**
 * Whether what live rows refer to is there, for each kind of reference that this database has. Rows from before references were held, or written while that
 * was switched off, may name what there never was: they stay as they are until somebody changes that field. Costs a look into an index for each different value.
 */
export async function referenceChecks(pool: Pick<pg.Pool, 'query'>): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { table, column, of, by } of references) {
    const answer = await pool
      .query<{ value: string }>(
        `with recursive used as (
           (select ${column} as value from public.${table} where deleted_at is null and ${column} is not null order by ${column} limit 1)
           union all
           select (select t.${column} from public.${table} t where t.deleted_at is null and t.${column} > u.value order by t.${column} limit 1)
           from used u where u.value is not null
         ), looked as (select value from used where value is not null limit ${lookedAt})
         select value from looked where not exists (select from public.${of} o where o.${by} = looked.value and o.deleted_at is null)`,
      )
      .catch((error: unknown) => {
        // Another database than the catalog's has no such table.
        if (error instanceof Error && 'code' in error && error.code === '42P01') return undefined;
        throw error;
      });
    if (answer === undefined) continue;
    const unknown = answer.rows.map(({ value }) => value);
    const check = `${table}.${column}`;
    findings.push(
      unknown.length === 0
        ? ok(check, `each is the ${by} of a ${of}`)
        : warning(
            check,
            `${unknown.length} values are the ${by} of no ${of}: ${unknown.slice(0, shown).join(', ')}${unknown.length > shown ? ', …' : ''}`,
            `create them over the API, or change the products that have them; they can be changed in every other field meanwhile`,
          ),
    );
  }
  return findings;
}
