import type { ApiLoad } from '../../support/api-load.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';
import type { Judgement } from './fault-row.ts';
import { judged } from './judged.ts';

/** I10, by the database: each product whose creation was confirmed is there, and no product is without its last event, or an event without its product. */
export async function judgeApi({ sql }: TestPipeline, load: ApiLoad): Promise<Judgement> {
  const { rows } = await sql.query<{ lost: string; halves: string }>(
    `select
       (select count(*) from unnest($1::text[]) as confirmed(sku) where not exists (select from product where product.sku = confirmed.sku)) as lost,
       (select count(*) from product full join
         (select aggregateid, max(version) as version from outbox where type = 'catalog.product-change' and aggregateid in (select id::text from product) or payload->'data'->>'sku' is not null group by 1) as last
         on product.id::text = last.aggregateid
         where product.version is distinct from last.version) as halves`,
    [load.created],
  );
  const { lost, halves } = rows[0] ?? { lost: '?', halves: '?' };
  const answers = [...load.answers].map(([status, n]) => `${n} × ${status}`).join(', ');
  return judged(
    'I10',
    lost === '0' && halves === '0',
    `answers ${answers}: ${lost} confirmed products missing, ${halves} without their other half`,
  );
}
