import { describe, expect, test } from 'vitest';
import { planFields, rowToJson, type MapOptions } from './field-map.ts';
import { importTargets, targetFields } from './import-target.ts';

const target = importTargets.get('products');
if (!target) throw new Error('no products');
const fields = targetFields(target);
const options: MapOptions = { map: [], set: [], ignoreOthers: false };

/** One row of these columns as JSON. */
const convert = (row: Readonly<Record<string, string>>, over: Partial<MapOptions> = {}): unknown =>
  rowToJson(
    planFields(fields, Object.keys(row), { ...options, ...over }),
    fields,
    { row: 3, line: 9 },
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
      '{"sku":"007","name":"Ring","attributes":{"a":1.0},"price":{"amount":12.50,"currency":"EUR"}}',
    );
  });

  test('leaves an empty cell out', () => {
    expect(convert({ sku: 'A', name: 'Ring', description: '' })).toBe('{"sku":"A","name":"Ring"}');
  });

  test.each([
    [
      { 'price.amount': '12,50' },
      [],
      'price.amount (column price.amount) is "12,50", expected number',
    ],
    [{ a: 'abc' }, ['attributes.a:number=a'], 'attributes.a (column a) is "abc", expected number'],
    [{ a: 'yes' }, ['attributes.a:boolean=a'], 'expected true, false, 1 or 0'],
    [{ a: 'x'.repeat(99) }, ['attributes.a:number=a'], `"${'x'.repeat(60)}…"`],
  ])('of a cell that is not of its kind is refused: %j', (cells, map, message) => {
    expect(() => convert({ sku: 'A', name: 'R', ...cells }, { map })).toThrow(message);
  });

  test('takes the booleans of spreadsheets and databases', () => {
    const map = ['a', 'b', 'c', 'd'].map((name) => `attributes.${name}:boolean=${name}`);
    expect(
      convert({ sku: 'A', name: 'R', a: '1', b: '0', c: 'TRUE', d: 'false' }, { map }),
    ).toContain('"attributes":{"a":true,"b":false,"c":true,"d":false}');
  });

  test('loses no cell, whatever the order of the columns', () => {
    const map = ['attributes.carat:number=carat'];
    const cells = { sku: 'A', name: 'R' };
    const both = '"attributes":{"cut":"Ideal","carat":0.3}';
    const attributes = '{"cut":"Ideal"}';
    expect(convert({ ...cells, attributes, carat: '0.3' }, { map })).toContain(both);
    expect(convert({ carat: '0.3', attributes, ...cells }, { map })).toContain(both);
    expect(() => convert({ ...cells, carat: '1', attributes: '{"carat":2}' }, { map })).toThrow(
      'attributes.carat is given twice in this row',
    );
    expect(() => convert({ ...cells, carat: '1', attributes: '[1]' }, { map })).toThrow(
      'attributes is no object in this row',
    );
  });

  test('a constant makes no half of an object that its columns leave empty', () => {
    const over = { set: ['price.currency=EUR', 'attributes.source=file'], map: ['attributes.a=a'] };
    const cells = { sku: 'A', name: 'R', a: '' };
    expect(convert({ ...cells, 'price.amount': '' }, over)).toBe(
      '{"sku":"A","name":"R","attributes":{"source":"file"}}',
    );
    expect(convert({ ...cells, 'price.amount': '1' }, over)).toContain(
      '"price":{"currency":"EUR","amount":1}',
    );
    expect(convert(cells, { ...over, set: ['price.amount=1', 'price.currency=EUR'] })).toContain(
      '"price":{"amount":1,"currency":"EUR"}',
    );
  });

  test('can be called by its number', () => {
    expect(
      convert({ name: 'R' }, { set: ['sku=OLD-{row}', 'attributes.line:number={line}'] }),
    ).toBe('{"sku":"OLD-3","name":"R","attributes":{"line":9}}');
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
      '{"sku":"A","name":"Ring","price":{"amount":1,"currency":"EUR"},"attributes":{"carat":0.30,"cut":"Ideal"}}',
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
    [{ sku: '', name: '' }, { set: ['attributes.n:number=x'] }, 'is "x", expected number'],
    [{ sku: '', name: '' }, { set: ['brand=A', 'brand=B'] }, 'brand is given twice'],
    [{ sku: '', name: '' }, { set: ['name=R'] }, 'column name would be lost, because name comes'],
    [{ sku: '', name: '', title: '' }, { map: ['name=title'] }, 'name comes from column title'],
  ])('of columns %j with %j is refused: %s', (row, over, message) => {
    expect(() => convert(row, over)).toThrow(message);
  });

  test('other columns are left out only if that is said', () => {
    expect(convert({ sku: 'A', name: 'R', carat: '1' }, { ignoreOthers: true })).toBe(
      '{"sku":"A","name":"R"}',
    );
  });
});
