import { parseJson, schemaIdPrefix, stringifyJson } from '@outbound/contract';
import { expect, test } from 'vitest';
import { canonicalJson, contentHash } from './content-hash.ts';
import { readRecord } from './read-record.ts';

const id = '019376e4-8c3a-7c7e-a1b2-0123456789ab';
const record = (data: string, rest = '') => readRecord(id, Buffer.from(`{"data":${data}${rest}}`));

test('the order of members does not count, each digit of a number does', () => {
  const plain = record(`{"id":"${id}","version":3,"price":1.5}`);
  expect(plain).toMatchObject({ form: 'value', version: 3 });
  expect(record(`{"price":1.5,"version":3,"id":"${id}"}`, ',"data_op":"S"')).toEqual(plain);
  expect(record(`{"id":"${id}","version":3,"price":1.50}`)).not.toEqual(plain);
  expect(record(`{"id":"${id}","version":3,"price":1.5,"more":null}`)).not.toEqual(plain);
});

test('an entity as its row gives it and as its record gives it have one hash, digits beyond a double included', () => {
  const text = `{"id":"${id}","version":3,"attributes":{"b":12345678901234567890,"a":[1e2,{"7":-0.0,"z":"\u2028é"}]}}`;
  const read = record(text);
  expect(read.form === 'value' && read.hash).toEqual(contentHash(parseJson(text)));
  expect(canonicalJson(parseJson(text))).toBe(
    `{"attributes":{"a":[1e2,{"7":-0.0,"z":"\u2028é"}],"b":12345678901234567890},"id":"${id}","version":3}`,
  );
});

test.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['a key twice', `{"data":{"id":"${id}","id":"x","version":1}}`],
  ['no data', '{"id":1}'],
  ['a list', '[]'],
  ['another id', `{"data":{"id":"x","version":1}}`],
  ['no version', `{"data":{"id":"${id}"}}`],
  ['a version that is no whole number', `{"data":{"id":"${id}","version":1.5}}`],
  ['a version of 1.0', `{"data":{"id":"${id}","version":1.0}}`],
  ['a version beyond doubles', `{"data":{"id":"${id}","version":12345678901234567890}}`],
])('a value with %s is unreadable, and no error', (_, text) => {
  expect(readRecord(id, Buffer.from(text))).toEqual({ form: 'unreadable' });
});

test('broken UTF-8 is unreadable, a null value is a tombstone', () => {
  const broken = Buffer.concat([
    Buffer.from(`{"data":{"id":"${id}","version":1,"name":"`),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('"}}'),
  ]);
  expect(readRecord(id, broken)).toEqual({ form: 'unreadable' });
  expect(readRecord(id, null)).toEqual({ form: 'tombstone' });
});

test('an event of an entity at the limits of a request is read: it has more keys and a level more than the request had', () => {
  const attributes = Object.fromEntries(Array.from({ length: 995 }, (_, n) => [`k${n}`, n]));
  let deep: unknown = 1.5;
  for (let level = 0; level < 30; level += 1) deep = { deep };
  const data = { id, version: 1, name: 'n', status: 's', attributes: { ...attributes, deep } };
  expect(record(stringifyJson(data))).toEqual({
    form: 'value',
    version: 1,
    hash: contentHash(data),
  });
});

test('a value that names its schema, in Confluent wire format, says the same as one that does not', () => {
  const data = { id, version: 1 };
  const value = Buffer.from(stringifyJson({ data }));
  expect(readRecord(id, Buffer.concat([schemaIdPrefix(7), value]))).toEqual(readRecord(id, value));
});
