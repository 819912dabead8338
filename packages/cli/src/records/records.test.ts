import { schemaIdPrefix, stringifyJson } from '@outbound/contract';
import type { KafkaRecord } from '@outbound/consumer';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { readableLine, sizeText } from './readable-line.ts';
import { recordJson } from './record-json.ts';
import { entityOf, fieldText, jsonValueOf } from './record-value.ts';

const colors = pc.createColors(false);
const record: KafkaRecord = {
  topic: 'catalog.product',
  partition: 3,
  offset: 1042n,
  timestampMs: 1_790_000_000_123,
  key: Buffer.from('p1'),
  value: Buffer.from(
    '{"metadata":{"eid":"e1"},"data_op":"U","data_type":"catalog.product","data":{"id":"p1","version":12,"price":{"amount":1.50},"name":"Nut","tags":null}}',
  ),
  headers: { data_op: 'U' },
  headerList: () => [],
};
const line = (over: Partial<KafkaRecord> = {}) => {
  const each = { ...record, ...over };
  return readableLine(each, jsonValueOf(each), colors);
};
const json = (over: Partial<KafkaRecord> = {}) => {
  const each = { ...record, ...over };
  return recordJson(each, jsonValueOf(each));
};

describe('a line', () => {
  test('says when, where, which key, what was done, and what the entity is now', () => {
    expect(line()).toBe(
      '2026-09-21T14:13:20.123Z 3:1042 p1 U v12 150 B {"price":{"amount":1.50},"name":"Nut","tags":null}',
    );
  });

  test('names a tombstone, a replay, and the lack of a key and of a time', () => {
    expect(line({ key: null, value: null, headers: { replay: 'true' }, timestampMs: -1 })).toBe(
      'no time 3:1042 (no key) D - replay tombstone',
    );
  });

  test('shows a key that is no text as tail and latest take it', () => {
    expect(line({ key: Buffer.from('fffe0001', 'hex') })).toContain('3:1042 \\xfffe0001 U');
    expect(line({ key: Buffer.from('a\0') })).toContain('3:1042 \\x6100 U');
  });

  test('shows what is not ours as it is, cut and without control characters', () => {
    const text = line({ headers: {}, value: Buffer.from(`\u001b[2J${'x'.repeat(5000)}`) });
    expect(text).toContain('p1 - - 5.0 kB \\x1b[2Jxxx');
    expect(text.length).toBeLessThan(250);
    expect(text.endsWith('x…')).toBe(true);
    expect(line({ headers: {}, value: Buffer.from([0xff, 0x0a]) })).toContain('2 B \\xff\\x0a');
    expect(line({ key: Buffer.from('a\nb\u0085') })).toContain('a\\nb\\x85');
  });

  test('has sizes for people', () => {
    expect([0, 999, 1000, 999_949, 999_950, 1_234_567, 2_000_000_000].map(sizeText)).toEqual([
      ...['0 B', '999 B', '1.0 kB', '999.9 kB', '1.0 MB', '1.2 MB', '2.0 GB'],
    ]);
  });
});

describe('as JSON', () => {
  test('a value keeps every digit that it had', () => {
    expect(json({ value: Buffer.from('{"a": 1.50, "b":12345678901234567890}') })).toBe(
      '{"topic":"catalog.product","partition":3,"offset":1042,"timestamp":"2026-09-21T14:13:20.123Z","key":"p1","headers":{"data_op":"U"},"tombstone":false,"value":{"a":1.50,"b":12345678901234567890}}',
    );
  });

  test('a tombstone is null, and no time is null', () => {
    expect(JSON.parse(json({ value: null, key: null, timestampMs: -1 }))).toMatchObject({
      ...{ key: null, value: null, tombstone: true, timestamp: null },
    });
  });

  test('bytes that are no text and values that are no JSON are base64', () => {
    expect(
      JSON.parse(json({ key: Buffer.from([0xff]), value: Buffer.from('hello') })),
    ).toMatchObject({ key_base64: '/w==', value_base64: 'aGVsbG8=' });
  });

  test('a key with any character at all is still JSON', () => {
    expect(JSON.parse(json({ key: Buffer.from('a\u0000b') }))).toMatchObject({ key: 'a\u0000b' });
  });

  test('an offset that JavaScript would round is text', () => {
    expect(JSON.parse(json({ offset: 9_007_199_254_740_993n }))).toMatchObject({
      offset: '9007199254740993',
    });
  });
});

describe('a field', () => {
  test('is found by its path in the data of our events, and in any other object', () => {
    const entity = entityOf(jsonValueOf(record));
    expect(fieldText(entity, 'price.amount')).toBe('1.50');
    expect(fieldText(entity, 'name')).toBe('Nut');
    expect(fieldText(entity, 'tags')).toBe('null');
    expect(fieldText(entity, 'price')).toBe('{"amount":1.50}');
    expect(fieldText(entity, 'price.amount.more')).toBeUndefined();
    expect(fieldText(entity, 'toString')).toBeUndefined();
    expect(fieldText(entityOf({ data: { a: 1 }, b: 'x' }), 'data.a')).toBe('1');
    expect(fieldText(entityOf('text'), 'a')).toBeUndefined();
  });
});

test('a value is read behind the id of its schema too', () => {
  const value = Buffer.concat([schemaIdPrefix(7), Buffer.from('{"a":1.50}')]);
  expect(stringifyJson(jsonValueOf({ value }))).toBe('{"a":1.50}');
});
