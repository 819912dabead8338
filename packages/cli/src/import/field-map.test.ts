import { describe, expect, test } from 'vitest';
import { objectToJson, planFields, rowToJson, type MapOptions } from './field-map.ts';
import { importTargets, targetFields } from './import-target.ts';

const target = importTargets.get('products');
if (!target) throw new Error('no products');
const fields = targetFields(target);
const options: MapOptions = { map: [], set: [], ignoreOthers: false };

/** One row of these columns as JSON. */
const convert = (row: Readonly<Record<string, string>>, over: Partial<MapOptions> = {}): unknown =>
  rowToJson(
    planFields(fields, Object.keys(row), { ...options, ...over }),
    (column) => row[column] ?? '',
  );

describe('a row of CSV', () => {
  test('becomes an object by the names of its columns, typed as the schema says', () => {
    expect(
      convert({
        sku: '007',
        name: 'Ring',
        'price.amount': '12.50',
        'price.currency': 'EUR',
        attributes: '{"a":1.0}',
      }),
    ).toBe(
      '{"sku":"007","name":"Ring","price":{"amount":12.50,"currency":"EUR"},"attributes":{"a":1.0}}',
    );
  });

  test('leaves an empty cell out', () => {
    expect(convert({ sku: 'A', name: 'Ring', description: '' })).toBe('{"sku":"A","name":"Ring"}');
  });

  test('what is no number stays text, so that the API says what is wrong', () => {
    expect(convert({ sku: 'A', name: 'R', 'price.amount': '12,50' })).toContain('"amount":"12,50"');
  });

  test('takes columns of other names, kinds for open objects, and constants', () => {
    expect(
      convert(
        { id: 'A', title: 'Ring', carat: '0.30', cut: 'Ideal' },
        {
          map: ['sku=id', 'name=title', 'attributes.carat:number=carat', 'attributes.cut=cut'],
          set: ['price.amount=1', 'price.currency=EUR'],
        },
      ),
    ).toBe(
      '{"price":{"amount":1,"currency":"EUR"},"sku":"A","name":"Ring","attributes":{"carat":0.30,"cut":"Ideal"}}',
    );
  });

  test.each([
    [{ sku: '', name: '', carat: '' }, {}, 'no field is called carat'],
    [{ sku: '' }, {}, 'no column gives name'],
    [{ sku: '', name: '' }, { map: ['brand=maker'] }, 'has no column maker; it has sku, name'],
    [{ sku: '', name: '' }, { map: ['colour=name'] }, 'there is no field colour'],
    [{ sku: '', name: '' }, { map: ['name'] }, 'expected FIELD=COLUMN'],
    [{ sku: '', name: '' }, { map: ['attributes.__proto__=name'] }, 'expected FIELD=COLUMN'],
    [{ sku: '', name: '' }, { map: ['attributes.x:date=name'] }, 'date is none of string, number'],
    [{ sku: '', name: '' }, { map: ['name=name', 'name=sku'] }, 'given twice'],
    [{ sku: '', name: '' }, { set: ['version=1'] }, 'there is no field version'],
  ])('of columns %j with %j is refused: %s', (row, over, message) => {
    expect(() => convert(row, over)).toThrow(message);
  });

  test('other columns are left out only if that is said', () => {
    expect(convert({ sku: 'A', name: 'R', carat: '1' }, { ignoreOthers: true })).toBe(
      '{"sku":"A","name":"R"}',
    );
  });
});

test('an object of NDJSON keeps its values, takes mapped ones from inside, and loses what is no field', () => {
  const sources = planFields(fields, undefined, {
    ...options,
    map: ['price.amount=cost.net', 'attributes.old=attributes'],
    set: ['status=ACTIVE'],
  });
  const object = { sku: 'A', cost: { net: 1.5 }, attributes: { b: 1 }, id: 7 };
  expect(objectToJson(sources, fields, object)).toBe(
    '{"sku":"A","attributes":{"b":1,"old":{"b":1}},"status":"ACTIVE","price":{"amount":1.5}}',
  );
  expect(object.attributes).toEqual({ b: 1 });
});
