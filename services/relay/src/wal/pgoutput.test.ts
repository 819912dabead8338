import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import {
  decodeBegin,
  decodeCommit,
  decodeRelation,
  insertRelationId,
  messageKind,
  readInsertedRow,
} from './pgoutput.ts';
import {
  beginBytes,
  commitBytes,
  insertBytes,
  relationBytes,
} from './test-support/pgoutput-bytes.ts';
import { Tuple } from './tuple.ts';

const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const timeMs = fc.integer({ min: Date.UTC(1990), max: Date.UTC(2200) });
const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const columns = fc.array(fc.record({ name, typeOid: uint32 }), { maxLength: 40 });
const value = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme' }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

/** Decodes whatever it is, as the assembler would. */
function decode(bytes: Buffer, tuple = new Tuple()): unknown {
  switch (messageKind(bytes)) {
    case 'begin':
      return decodeBegin(bytes);
    case 'commit':
      return decodeCommit(bytes);
    case 'relation':
      return decodeRelation(bytes);
    case 'insert':
      insertRelationId(bytes);
      return readInsertedRow(bytes, tuple);
    case 'origin':
    case 'type':
    case 'update':
    case 'delete':
    case 'truncate':
    case 'message':
      return undefined;
  }
}

const message = fc.oneof(
  fc.tuple(lsn, timeMs, uint32).map((args) => beginBytes(...args)),
  fc.tuple(lsn, lsn, timeMs).map((args) => commitBytes(...args)),
  fc.tuple(uint32, name, name, columns).map((args) => relationBytes(...args)),
  fc.tuple(uint32, fc.array(value, { maxLength: 40 })).map((args) => insertBytes(...args)),
);

describe('the pgoutput decoder', () => {
  it('reads a begin and a commit as they were written, to the millisecond and the unsigned bit', () => {
    fc.assert(
      fc.property(lsn, lsn, timeMs, uint32, (commitLsn, commitEndLsn, commitTimeMs, xid) => {
        expect(decodeBegin(beginBytes(commitLsn, commitTimeMs, xid))).toEqual({
          commitLsn,
          commitTimeMs,
          xid,
        });
        expect(decodeCommit(commitBytes(commitLsn, commitEndLsn, commitTimeMs))).toEqual({
          commitLsn,
          commitEndLsn,
          commitTimeMs,
        });
      }),
    );
  });

  it('reads a relation and its columns as they were written', () => {
    fc.assert(
      fc.property(uint32, name, name, columns, (relationId, schema, table, list) => {
        expect(decodeRelation(relationBytes(relationId, schema, table, list))).toEqual({
          relationId,
          schema,
          name: table,
          columns: list,
        });
      }),
    );
  });

  it('calls the empty schema pg_catalog', () => {
    expect(decodeRelation(relationBytes(1, '', 't', [])).schema).toBe('pg_catalog');
  });

  it('gives every value of a row back, byte for byte, with one cursor for all rows', () => {
    const tuple = new Tuple();
    fc.assert(
      fc.property(uint32, fc.array(value, { maxLength: 60 }), (relationId, values) => {
        const bytes = insertBytes(relationId, values);
        expect(insertRelationId(bytes)).toBe(relationId);
        readInsertedRow(bytes, tuple);
        expect(tuple.columnCount).toBe(values.length);
        values.forEach((expected, column) => {
          const raw = expected === null ? undefined : Buffer.from(expected);
          expect(tuple.isNull(column)).toBe(expected === null);
          expect(tuple.byteLength(column)).toBe(raw?.length ?? 0);
          expect(tuple.copyBytes(column)).toEqual(raw);
          expect(tuple.text(column)).toBe(raw?.toString('utf8'));
        });
      }),
    );
  });

  it('copies a payload once and for good: what comes after does not change it', () => {
    const bytes = insertBytes(1, ['{"a":1}']);
    const tuple = new Tuple();
    readInsertedRow(bytes, tuple);
    const copy = tuple.copyBytes(0);
    bytes.fill(0xee);
    expect(copy?.toString()).toBe('{"a":1}');
  });

  it('refuses to tell of a column that the row has not', () => {
    const tuple = new Tuple();
    readInsertedRow(insertBytes(1, ['x']), tuple);
    for (const column of [-1, 1, 99]) expect(() => tuple.text(column)).toThrow(RelayError);
  });

  it('knows every kind of protocol 1, and refuses those of streaming and two-phase', () => {
    const kinds = [...'BCRIOYUDTM'].map((letter) => messageKind(Buffer.from(letter)));
    expect(new Set(kinds).size).toBe(10);
    for (const letter of 'SEcAbPKrp\0')
      expect(() => messageKind(Buffer.from(letter))).toThrow(/unknown kind 0x/);
    expect(() => messageKind(Buffer.alloc(0))).toThrow(/no bytes/);
  });

  it('says where a cut message ends, for every place of the cut', () => {
    fc.assert(
      fc.property(message, fc.nat(), (bytes, seed) => {
        const cut = bytes.subarray(0, seed % bytes.length);
        expect(() => decode(cut)).toThrow(RelayError);
        try {
          decode(cut);
        } catch (error) {
          expect(error).toMatchObject({ code: 'DECODE_PROTOCOL' });
          if (cut.length > 0) expect(String(error)).toMatch(/byte \d+/);
        }
      }),
    );
  });

  it('refuses bytes after the end', () => {
    fc.assert(
      fc.property(message, (bytes) => {
        expect(() => decode(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(RelayError);
      }),
    );
  });

  it('throws nothing but its own error, whatever the bytes are', () => {
    const tuple = new Tuple();
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.constantFrom(...'BCRI'), fc.uint8Array({ maxLength: 200 }))
        .map(([letter, rest]) => Buffer.concat([Buffer.from(letter), rest])),
      fc.tuple(message, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => {
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        try {
          decode(Buffer.from(bytes), tuple);
        } catch (error) {
          expect(error).toBeInstanceOf(RelayError);
          expect(error).toMatchObject({ code: 'DECODE_PROTOCOL' });
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('refuses the values that an insert in text mode never has, with the byte', () => {
    for (const letter of 'ubx') {
      const bytes = insertBytes(1, [null]);
      bytes[8] = letter.charCodeAt(0);
      expect(() => decode(bytes)).toThrow(new RegExp(`"${letter}" at byte 8`));
    }
  });
});
