import { parseJson, type JsonObject } from '@outbound/contract';
import { describe, expect, test } from 'vitest';
import { planFields, type MapOptions } from './field-map.ts';
import { importTargets, targetFields } from './import-target.ts';
import { objectToJson } from './object-to-json.ts';

const target = importTargets.get('products');
if (!target) throw new Error('no products');
const fields = targetFields(target);

/** One object as JSON. */
function convert(text: string, over: Partial<MapOptions> = {}): string {
  const options = { map: [], set: [], ignoreOthers: false, ...over };
  const plan = { ...options, fields, sources: planFields(fields, undefined, options) };
  return objectToJson(plan, { row: 3, line: 9 }, parseJson(text) as JsonObject);
}

describe('an object of NDJSON', () => {
  test('keeps its values, and takes mapped ones from inside', () => {
    expect(
      convert('{"sku":"A","cost":{"net":1.50},"attributes":{"b":1.0,"c":{"d.e":[{"f":null}]}}}', {
        map: ['price.amount=cost.net'],
        set: ['status=ACTIVE', 'price.currency=EUR', 'attributes.row:number={row}'],
      }),
    ).toBe(
      '{"sku":"A","attributes":{"b":1.0,"c":{"d.e":[{"f":null}]},"row":3},"status":"ACTIVE","price":{"currency":"EUR","amount":1.50}}',
    );
  });

  test('has a mapped member where it is mapped to, and only there', () => {
    const map = ['attributes.old=attributes', 'name=description', 'sku=codes.sku'];
    expect(convert('{"attributes":{"b":1},"description":"R","codes":{"sku":"A"}}', { map })).toBe(
      '{"name":"R","sku":"A","attributes":{"old":{"b":1}}}',
    );
    const both = ['name=title', 'attributes.title=title'];
    expect(convert('{"title":"R"}', { map: both })).toBe('{"name":"R","attributes":{"title":"R"}}');
    expect(convert('{"a.b":1,"a":{"b":2}}', { map: ['name=a.b', 'attributes=a'] })).toBe(
      '{"name":1,"attributes":{"b":2}}',
    );
  });

  test.each([
    ['{"sku":"A","id":7,"uuid":null}', {}, 'no field is called id, uuid: say --map FIELD=id'],
    [
      '{"cost":{"net":1,"gross":2}}',
      { map: ['price.amount=cost.net'] },
      'is called cost.gross: say',
    ],
    ['{"price":{"amount":1,"tax":{"rate":2}}}', { set: ['name=R'] }, 'is called price.tax'],
    ['{"price.amount":1}', { set: ['name=R'] }, 'no field is called price.amount'],
    [
      '{"a.b":1,"a":{"b":2}}',
      { map: ['name=a.b'] },
      'no field is called a: say --map FIELD=a, or --ignore-others',
    ],
    ['{"name":"R","title":"S"}', { map: ['name=title'] }, 'name comes from title: say --map'],
    ['{"name":"R"}', { set: ['name=S'] }, 'name would be lost, because name comes from a constant'],
    ['{"attributes":{"n":1},"n":2}', { map: ['attributes.n=n'] }, 'attributes.n would be lost'],
    ['{"attributes":{"n":1}}', { set: ['attributes.n=2'] }, 'attributes.n would be lost'],
    ['{"attributes":{"n":1},"n":{}}', { map: ['attributes=n'] }, 'attributes would be lost'],
    [
      '{"cost":{"amount":1},"net":2}',
      { map: ['price=cost', 'price.amount=net'] },
      'price.amount is given twice in this row',
    ],
    ['{"n":1,"price":5}', { map: ['price.amount=n'] }, 'price is no object in this row'],
  ])('%s with %j would lose a member, and is refused: %s', (text, over, message) => {
    expect(() => convert(text, over)).toThrow(message);
  });

  test('loses what is no field only if that is said, at every depth', () => {
    const ignoreOthers = true;
    const text =
      '{"id":7,"sku":"A","name":"R","title":"S","price":{"amount":1,"tax":2},"attributes":{"x":{"y":1}}}';
    expect(convert(text, { ignoreOthers })).toBe(
      '{"sku":"A","name":"R","price":{"amount":1},"attributes":{"x":{"y":1}}}',
    );
    expect(convert(text, { ignoreOthers, map: ['name=title'], set: ['attributes.x=1'] })).toBe(
      '{"sku":"A","price":{"amount":1},"name":"S","attributes":{"x":"1"}}',
    );
  });

  test('is held to the kinds that were asked for', () => {
    expect(() => convert('{"n":"abc"}', { map: ['attributes.n:number=n'] })).toThrow(
      'attributes.n (n) is no number',
    );
    expect(convert('{"n":"abc"}', { map: ['attributes.n=n'] })).toBe('{"attributes":{"n":"abc"}}');
  });

  test('gets no half of an object from a constant', () => {
    const set = ['price.currency=EUR', 'attributes.source=file'];
    expect(convert('{"sku":"A"}', { set })).toBe('{"sku":"A","attributes":{"source":"file"}}');
    expect(convert('{"price":{"amount":1}}', { set })).toContain(
      '"price":{"amount":1,"currency":"EUR"}',
    );
    expect(convert('{"cost":1}', { set, map: ['price.amount=cost'] })).toContain(
      '"price":{"currency":"EUR","amount":1}',
    );
    expect(convert('{}', { set: ['price.amount=1', 'price.currency=EUR'] })).toBe(
      '{"price":{"amount":1,"currency":"EUR"}}',
    );
    expect(() => convert('{"price":null}', { set })).toThrow('price is no object in this row');
  });
});
