const prefixBytes = 5;

/**
 * What stands before a value on a topic whose values name their schema: a zero byte and the schema's id, four bytes, highest first.
 * Source: Confluent's wire format.
 * @throws RangeError if the id is no unsigned 32-bit integer.
 */
export function schemaIdPrefix(id: number): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(id, 1);
  return prefix;
}

/**
 * The JSON of a value, and the id of its schema if it names one. No guess: JSON never begins with a zero byte. Gives a view, not a copy.
 */
export function withoutSchemaId(value: Buffer): {
  readonly json: Buffer;
  readonly schemaId: number | undefined;
} {
  if (value.length < prefixBytes || value[0] !== 0) return { json: value, schemaId: undefined };
  return { json: value.subarray(prefixBytes), schemaId: value.readUInt32BE(1) };
}
