import type { StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { PgDialect } from 'drizzle-orm/pg-core';
import { describe, expect, test } from 'vitest';
import {
  backfillPlan,
  planCondition,
  planFromFacts,
  planToFacts,
  resumedPlan,
} from './backfill-plan.ts';

const product = storedAggregates.get('product') as StoredAggregate;
const defaults = { chunk: '500', rate: '1000' };
const toSql = (options: object, after?: string) => {
  const condition = planCondition(
    product,
    backfillPlan('product', { ...defaults, ...options }),
    after,
  );
  return condition && new PgDialect().sqlToQuery(condition);
};

describe('a backfill goes through', () => {
  test('every row without options', () => {
    expect(toSql({})).toBeUndefined();
  });

  test('the rows of an id range, a predicate and a time, with every value a parameter', () => {
    const { sql, params } = toSql(
      {
        fromId: 'a',
        toId: 'b',
        where: ["brand=x' or 1=1 --", 'status=ACTIVE'],
        updatedSince: '2026-03-01T12:00:00+01:00',
        liveOnly: true,
      },
      'after',
    ) ?? { sql: '', params: [] };
    expect(sql.replaceAll('"product".', '')).toBe(
      '("id" >= $1 and "id" <= $2 and "id" > $3 and "updated_at" >= $4 and "deleted_at" is null and "brand" = $5 and "status" = $6)',
    );
    expect(params).toEqual([
      'a',
      'b',
      'after',
      '2026-03-01T11:00:00.000Z',
      "x' or 1=1 --",
      'ACTIVE',
    ]);
  });
});

describe('a backfill is refused', () => {
  test.each([
    [{ where: ['colour=red'] }, 'no such column; there are id, sku,'],
    [{ where: ['attributes={}'] }, 'no such column'],
    [{ where: ['brand'] }, 'not of the form column=value'],
    [{ updatedSince: 'yesterday' }, '--updated-since yesterday is not a time'],
    [{ chunk: '0' }, '--chunk 0 is not a whole number from 1 to 5000'],
    [{ rate: '-1' }, '--rate -1 is not'],
    [{ rate: '10/m' }, '--rate 10/m is not'],
  ])('%j', (options, message) => {
    expect(() => toSql(options)).toThrow(message);
  });
});

test('a plan is the same after it was noted in an operation', () => {
  for (const options of [
    {},
    { fromId: 'a', where: ['brand=b'], updatedSince: '2026-03-01T12:00:00Z', rate: '20/s' },
    { toId: 'z', liveOnly: true, chunk: '7' },
  ]) {
    const plan = backfillPlan('product', { ...defaults, ...options });
    expect(planFromFacts(JSON.parse(JSON.stringify(planToFacts(plan))) as never)).toEqual({
      fromId: undefined,
      toId: undefined,
      updatedSince: undefined,
      ...plan,
    });
  }
});

test('a run goes on with its own entities, at the pace that is asked for now', () => {
  const facts = planToFacts(backfillPlan('product', { liveOnly: true, chunk: '7', rate: '100' }));
  expect(resumedPlan(facts, {})).toMatchObject({ liveOnly: true, chunk: 7, ratePerSecond: 100 });
  expect(resumedPlan(facts, { rate: '5/s' })).toMatchObject({ chunk: 7, ratePerSecond: 5 });
  expect(() => resumedPlan(facts, { chunk: '0' })).toThrow('--chunk 0');
});
