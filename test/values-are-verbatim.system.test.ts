import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgePipeline } from './support/judge-pipeline.ts';
import { TestPipeline } from './support/test-pipeline.ts';
import { startTestStack, type TestStack } from './support/test-stack.ts';

const largest = 900 * 1024;
const payloads = {
  'numbers that a double cannot hold':
    '{"n":12345678901234567890,"d":0.10000000000000000001,"e":1.50,"z":-0}',
  'the order of keys, and keys that repeat': '{"b":1,"a":2,"b":3}',
  'white space': '{ "a" :\n\t[ 1 , 2 ] }',
  'escapes as they were written': String.raw`{"a":"\u00e9\/\"\\ \ud83d\ude00"}`,
  'text of every width': '{"a":"é€😀 日本語 ‏עברית"}',
  'a backslash that COPY would escape': String.raw`{"a":"\\N \\. \\t"}`,
  'the largest event that may commit': `{"filler":"${'x'.repeat(largest - 13)}"}`,
};

/** I5: the bytes of the value are the bytes of the outbox row. */
describe('the bytes of a value', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it(`are the bytes that were written: ${Object.keys(payloads).join(', ')}`, async () => {
    await using pipeline = await TestPipeline.create(stack);
    await pipeline.startRelay();
    for (const [index, payload] of Object.values(payloads).entries())
      await pipeline.sql.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values (gen_random_uuid(), 'catalog.product', $1, 'catalog.product-change', 1, 'C', $2)`,
        [`entity ${index} é`, payload],
      );
    await pipeline.caughtUp();
    const verdict = await judgePipeline(pipeline);
    expect(verdict.violations).toEqual([]);
    expect(verdict.records).toBe(2 * Object.keys(payloads).length);
  });

  it('are refused by the table one byte above the limit, so that nothing commits that could never be published', async () => {
    await using pipeline = await TestPipeline.create(stack);
    await expect(
      pipeline.sql.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values (gen_random_uuid(), 'catalog.product', 'e', 'catalog.product-change', 1, 'C', $1)`,
        [`{"filler":"${'x'.repeat(largest - 12)}"}`],
      ),
    ).rejects.toThrow('outbox_payload_check');
  });
});
