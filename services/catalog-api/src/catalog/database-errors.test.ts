import { PipelineError } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors.ts';
import { categoryAggregate } from '../categories/category-aggregate.ts';
import { productAggregate } from '../products/product-aggregate.ts';
import { fromDatabaseError } from './database-errors.ts';

const driverError = (code: string, extra: object = {}) =>
  Object.assign(new Error('duplicate key value (sku)=(SECRET)'), { code, ...extra });
const wrapped = (cause: Error) => new Error('Failed query: insert … params: SECRET', { cause });
const codeOf = (error: unknown) => {
  const translated = fromDatabaseError(error, productAggregate);
  return translated instanceof ApiError ? translated.code : 'passed through';
};

describe('what the database says', () => {
  it.each([
    ['08006', 'UNAVAILABLE'],
    ['57P01', 'UNAVAILABLE'],
    ['ECONNREFUSED', 'UNAVAILABLE'],
    ['ENOTFOUND', 'UNAVAILABLE'],
    ['EAI_AGAIN', 'UNAVAILABLE'],
    ['EPERM', 'UNAVAILABLE'],
    ['EACCES', 'UNAVAILABLE'],
    ['EMFILE', 'UNAVAILABLE'],
    ['ENFILE', 'UNAVAILABLE'],
    ['EADDRNOTAVAIL', 'UNAVAILABLE'],
    ['ENETDOWN', 'UNAVAILABLE'],
    ['EPROTO', 'UNAVAILABLE'],
    ['ERR_STREAM_DESTROYED', 'UNAVAILABLE'],
    ['CERT_HAS_EXPIRED', 'UNAVAILABLE'],
    ['28P01', 'UNAVAILABLE'],
    ['3D000', 'UNAVAILABLE'],
    ['25P03', 'UNAVAILABLE'],
    ['25P04', 'UNAVAILABLE'],
    ['40003', 'UNAVAILABLE'],
    ['53300', 'UNAVAILABLE'],
    ['55P03', 'UNAVAILABLE'],
    ['57014', 'UNAVAILABLE'],
    ['25006', 'UNAVAILABLE'],
    ['22003', 'VALIDATION_FAILED'],
    ['22021', 'VALIDATION_FAILED'],
    ['23514', 'VALIDATION_FAILED'],
    ['42P01', 'passed through'],
    ['42501', 'passed through'],
    ['23502', 'passed through'],
  ])('%s is %s, also when drizzle wraps it', (code, expected) => {
    expect(codeOf(driverError(code))).toBe(expected);
    expect(codeOf(wrapped(driverError(code)))).toBe(expected);
  });

  it('is about a field if it is a unique key of ours, and a defect otherwise', () => {
    const conflict = fromDatabaseError(
      wrapped(driverError('23505', { constraint: 'product_sku_key' })),
      productAggregate,
    );
    expect(conflict).toMatchObject({ code: 'CONFLICT', violations: [{ pointer: '/sku' }] });
    expect((conflict as Error).message).not.toContain('SECRET');
    expect(codeOf(driverError('23505', { constraint: 'outbox_pkey' }))).toBe('passed through');
  });

  it('is about a reference if a trigger of ours refuses it, on either side, and says who is meant', () => {
    const unknown = fromDatabaseError(
      wrapped(driverError('23514', { constraint: 'product_category_exists' })),
      productAggregate,
    );
    expect(unknown).toMatchObject({
      code: 'VALIDATION_FAILED',
      violations: [{ pointer: '/category', message: 'is the code of no category' }],
    });
    const referred = Object.assign(new Error('2 products refer to it, the first is 1'), {
      ...{ code: '23514', constraint: 'category_referred' },
    });
    expect(fromDatabaseError(wrapped(referred), categoryAggregate)).toMatchObject({
      code: 'REFERENCED',
      message: expect.stringContaining(': 2 products refer to it, the first is 1.') as string,
    });
  });

  it.each(['Connection terminated unexpectedly', 'timeout exceeded when trying to connect'])(
    'without a code is known by its message: %s',
    (message) => {
      expect(codeOf(new Error(message))).toBe('UNAVAILABLE');
    },
  );

  it('is nothing to be believed where the outcome is open, whatever it was', () => {
    for (const cause of [new Error('Connection terminated unexpectedly'), driverError('57P01')])
      expect(codeOf(new PipelineError('OUTCOME_UNKNOWN', 'x', { cause }))).toBe('OUTCOME_UNKNOWN');
  });

  it('finds our own errors wherever they are wrapped', () => {
    expect(codeOf(wrapped(new ApiError('OVERLOADED', 'full')))).toBe('OVERLOADED');
    expect(codeOf(new PipelineError('WRITE_CONFLICT', 'x', { cause: driverError('40001') }))).toBe(
      'WRITE_CONFLICT',
    );
    expect(codeOf(new PipelineError('EVENT_TOO_LARGE', 'x'))).toBe('EVENT_TOO_LARGE');
  });

  it('refused on both address families is one refusal', () => {
    expect(
      codeOf(new AggregateError([driverError('ECONNREFUSED'), driverError('ECONNREFUSED')])),
    ).toBe('UNAVAILABLE');
  });
});
