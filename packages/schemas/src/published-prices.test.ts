import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { productChange } from './events/product-change.ts';
import { eventJsonSchema, toDocumentSchema, stringifyJson } from '@outbound/contract';
import { amountFromText } from './money.ts';
import { productInput } from './product.ts';

/** What somebody else's program makes of a published schema: a validator that knows no more of us than that text, and JSON as every program reads it. */
function foreign(schema: object): (text: string) => string {
  const ajv = new Ajv2020({ strict: true });
  addFormats.default(ajv);
  ajv.addFormat('iso-4217', /^[A-Z]{3}$/);
  const validate = ajv.compile(schema);
  return (text) => (validate(JSON.parse(text)) ? 'taken' : ajv.errorsText(validate.errors));
}

/** Any amount that a price may have, as its decimal text. */
const amountText = fc
  .tuple(fc.oneof(fc.nat(2_000), fc.nat(99_999_999_999)), fc.nat(4), fc.nat(9_999))
  .map(([whole, digits, fraction]) =>
    digits === 0 ? `${whole}` : `${whole}.${String(fraction).padStart(4, '0').slice(0, digits)}`,
  );

const moment = '2026-03-01T12:00:00.000Z';
const eventOf = (amount: number) =>
  productChange.value.parse({
    metadata: {
      eid: '01930e2a-7b1c-7000-8000-000000000002',
      event_type: productChange.name,
      occurred_at: moment,
      version: productChange.version,
    },
    data_op: 'U',
    data_type: productChange.dataType,
    data: {
      id: '01930e2a-7b1c-7000-8000-000000000001',
      sku: 'A',
      name: 'A',
      price: { amount, currency: 'EUR' },
      attributes: {},
      status: 'ACTIVE',
      version: 1,
      created_at: moment,
      updated_at: moment,
    },
  });

describe('every price that may be sent is taken by a foreign validator', () => {
  const seed = Number(process.env['PRICE_SEED'] ?? 20_261_127);
  const examples: [string][] = [['19.99'], ['0.0001'], ['99999999999.9999']];
  const property = (taken: (text: string) => void) =>
    fc.assert(fc.property(amountText, taken), { numRuns: 5_000, seed, examples });

  it(`with the schema of the event (PRICE_SEED=${seed})`, () => {
    const judge = foreign(eventJsonSchema(productChange));
    property((text) => {
      expect(judge(stringifyJson(eventOf(amountFromText(text)))), text).toBe('taken');
    });
  });

  it(`with the schema of a request's body (PRICE_SEED=${seed})`, () => {
    const { $schema: _, ...schema } = toDocumentSchema(productInput);
    const judge = foreign({ ...schema, required: ['sku', 'name'] });
    property((text) => {
      const body = `{"sku":"A","name":"A","price":{"amount":${text},"currency":"EUR"}}`;
      expect(judge(body), text).toBe('taken');
    });
  });
});
