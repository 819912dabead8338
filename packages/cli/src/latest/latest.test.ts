import { describe, expect, test } from 'vitest';
import { entityOf, jsonValueOf } from '../records/record-value.ts';
import { KeyIndex } from './key-index.ts';
import { meets, parseCondition } from './where.ts';

describe('the index of the last records', () => {
  const read = (first: readonly [string, bigint][], second: readonly [string, bigint][]) => {
    const index = new KeyIndex();
    for (const [key, offset] of first) index.note(key, offset);
    return second.filter(([key, offset]) => index.takeIfLast(key, offset));
  };

  test('takes each key once, at its last record', () => {
    const records: [string, bigint][] = [
      ['a', 1n],
      ['b', 2n],
      ['a', 3n],
      ['c', 4n],
    ];
    expect(read(records, records)).toEqual([
      ['b', 2n],
      ['a', 3n],
      ['c', 4n],
    ]);
  });

  test('takes the later record of a key whose last one was compacted away between the readings', () => {
    expect(
      read(
        [
          ['a', 1n],
          ['b', 2n],
        ],
        [
          ['b', 2n],
          ['a', 7n],
          ['a', 8n],
          ['new', 9n],
        ],
      ),
    ).toEqual([
      ['b', 2n],
      ['a', 7n],
    ]);
  });
});

describe('--where', () => {
  const entity = entityOf(
    jsonValueOf({
      value: Buffer.from(
        '{"data_op":"U","data":{"name":"a=b","price":{"amount":9.90},"brand":null,"is_new":true}}',
      ),
    }),
  );
  const holds = (...texts: string[]) => meets(entity, texts.map(parseCondition));

  test('compares a field with a text, numbers as they are written', () => {
    expect(holds('name=a=b')).toBe(true);
    expect(holds('price.amount=9.90', 'brand=null', 'is_new=true')).toBe(true);
    expect(holds('price.amount=9.9')).toBe(false);
    expect(holds('name=a=b', 'is_new=false')).toBe(false);
    expect(holds('missing=')).toBe(false);
    expect(meets(undefined, [parseCondition('a=b')])).toBe(false);
  });

  test('without a field is refused with what would do', () => {
    for (const text of ['', '=x', 'name'])
      expect(() => parseCondition(text)).toThrow('say field=value');
  });
});
