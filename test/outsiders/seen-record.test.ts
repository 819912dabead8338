import { describe, expect, it } from 'vitest';
import { consoleRecords, kcatRecords } from './seen-record.ts';

describe('what a reader printed', () => {
  it('of kcat is records with headers, and null for a tombstone', () => {
    const value = '{"topic":"t","partition":1,"offset":7,"headers":["a","1:2","b","é"],"key":"k é"';
    expect(kcatRecords(`${value},"payload":"{\\"n\\":1}"}\n${value},"payload":null}\n`)).toEqual([
      { partition: 1, offset: 7, key: 'k é', value: '{"n":1}', headers: { a: '1:2', b: 'é' } },
      { partition: 1, offset: 7, key: 'k é', value: null, headers: { a: '1:2', b: 'é' } },
    ]);
  });

  it("of Kafka's console consumer is the same, whatever is in the value", () => {
    const begin = 'Partition:1\tOffset:7\ta:1:2,b:é\tk é';
    expect(consoleRecords(`${begin}\t{"n": "a\tb"}\n${begin}\tnull\n`)).toEqual([
      {
        partition: 1,
        offset: 7,
        key: 'k é',
        value: '{"n": "a\tb"}',
        headers: { a: '1:2', b: 'é' },
      },
      { partition: 1, offset: 7, key: 'k é', value: null, headers: { a: '1:2', b: 'é' } },
    ]);
  });
});
