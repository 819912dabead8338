import { expect, it } from 'vitest';
import { schemaIdPrefix, withoutSchemaId } from './wire-format.ts';

it('puts a zero byte and four bytes of id before a value, and finds them again', () => {
  const json = Buffer.from('{"a":1}');
  const value = Buffer.concat([schemaIdPrefix(0x01020304), json]);
  expect([...value.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
  expect(withoutSchemaId(value)).toEqual({ json, schemaId: 0x01020304 });
  expect(withoutSchemaId(json)).toEqual({ json, schemaId: undefined });
  expect(withoutSchemaId(Buffer.alloc(0)).schemaId).toBeUndefined();
  expect(() => schemaIdPrefix(-1)).toThrow(RangeError);
});
