import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import { lsnFromText } from '../wal/lsn.ts';
import { decodeRelation, readInsertedRow } from '../wal/pgoutput.ts';
import {
  insertBytes,
  outboxRelationColumns,
  outboxRow,
  relationBytes,
  type ColumnToWrite,
} from '../wal/test-support/pgoutput-bytes.ts';
import { capturedTransaction } from '../wal/test-support/captured-transaction.ts';
import { TransactionAssembler } from '../wal/transaction-assembler.ts';
import { Tuple } from '../wal/tuple.ts';
import { OutboxDecoder } from './decode-outbox-event.ts';

const position = { commitLsn: lsnFromText('0/10'), index: 3 };
const eid = '018f2f6e-0000-7000-8000-000000000001';

function decode(
  values: readonly (string | Buffer | null)[],
  columns: readonly ColumnToWrite[] = outboxRelationColumns,
) {
  const decoder = new OutboxDecoder();
  decoder.useRelation(decodeRelation(relationBytes(1, 'public', 'outbox', columns)));
  const tuple = new Tuple();
  const bytes = insertBytes(1, values);
  readInsertedRow(bytes, tuple);
  const event = decoder.decode(tuple, position, 1234);
  bytes.fill(0xdb);
  return event;
}

function refusal(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

function withType(name: string, typeOid: number): ColumnToWrite[] {
  return outboxRelationColumns.map((column) => (column.name === name ? { name, typeOid } : column));
}

describe('an outbox row', () => {
  it('becomes an event that outlives the bytes it was read from', () => {
    expect(decode(outboxRow({ headers: '{"traceparent":"00-1","flow_id":"f"}' }))).toEqual({
      eid,
      aggregateType: 'catalog.product',
      aggregateId: 'p-1',
      type: 'catalog.product-change',
      version: '7',
      dataOp: 'U',
      payload: Buffer.from('{"n":12345678901234567890}'),
      headers: { traceparent: '00-1', flow_id: 'f' },
      createdAt: '2026-03-01T12:34:56.123456Z',
      position,
      commitTimeMs: 1234,
    });
  });

  it('is read from the bytes that a server has sent', () => {
    const decoder = new OutboxDecoder();
    const events: unknown[] = [];
    const ends: bigint[] = [];
    const assembler = new TransactionAssembler({
      begin: ({ xid }) => expect(xid).toBe(755),
      relation: (relation) => decoder.useRelation(relation),
      insert: (tuple, at, commitTimeMs) => events.push(decoder.decode(tuple, at, commitTimeMs)),
      commit: (endLsn) => ends.push(endLsn),
    });
    for (const bytes of capturedTransaction) assembler.read(bytes);
    expect(events).toEqual([
      {
        eid: '00000000-0000-7000-8000-000000000001',
        aggregateType: 'catalog.product',
        aggregateId: 'ä-1',
        type: 'catalog.product-change',
        version: '1',
        dataOp: 'C',
        payload: Buffer.from('{"n": 12345678901234567890}'),
        headers: {},
        createdAt: '2026-03-01T12:34:56.123456Z',
        position: { commitLsn: lsnFromText('0/1B90B90'), index: 0 },
        commitTimeMs: Date.UTC(2026, 10, 24, 9, 0, 5, 746),
      },
    ]);
    expect(ends).toEqual([lsnFromText('0/1B90BC0')]);
  });

  // I5.
  it('keeps the payload byte for byte, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.json(), fc.string({ unit: 'grapheme' }), (json, text) => {
        const payload = Buffer.from(
          ` {"a" : ${json} , "b":${JSON.stringify(text)}, "n":0.10000000000000000001}`,
        );
        expect(decode(outboxRow({ payload })).payload.equals(payload)).toBe(true);
        const asText = decode(outboxRow({ payload }), withType('payload', 25));
        expect(asText.payload.equals(payload)).toBe(true);
      }),
    );
  });

  it('is read by the names of its columns, in any order, among others', () => {
    const values = new Map(
      outboxRelationColumns.map(({ name }, index) => [name, outboxRow()[index] ?? null]),
    );
    const all = [
      ...outboxRelationColumns,
      { name: 'note', typeOid: 25 },
      { name: 'ID', typeOid: 25 },
      { name: 'payload2', typeOid: 3802 },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (columns) => {
        const row = columns.map(({ name }) => values.get(name) ?? null);
        expect(decode(row, columns)).toEqual(decode(outboxRow()));
      }),
    );
  });

  it.each(outboxRelationColumns.map(({ name }) => name))(
    'without column %s is no outbox',
    (name) => {
      const columns = outboxRelationColumns.filter((column) => column.name !== name);
      const error = refusal(() => decode([], columns));
      expect(error).toMatchObject({ code: 'SOURCE_OUTBOX_MISSING' });
      expect(String(error)).toContain(name);
    },
  );

  it.each([
    ['payload', 3802, 'jsonb'],
    ['payload', 17, 'bytea'],
    ['created_at', 1114, 'timestamp without zone'],
  ])('with column %s of type %i (%s) is refused at once, not at its first row', (name, type) => {
    const error = refusal(() => decode([], withType(name, type)));
    expect(error).toMatchObject({ code: 'SOURCE_OUTBOX_MISSING' });
    expect(String(error)).toContain(`${name} is of type OID ${type}`);
  });

  it.each(outboxRelationColumns.map(({ name }) => name))('with NULL in %s is malformed', (name) => {
    const error = refusal(() => decode(outboxRow({ [name]: null })));
    expect(error).toMatchObject({ code: 'EVENT_MALFORMED' });
    expect(String(error)).toContain(`column ${name} is NULL`);
    if (name !== 'id') expect(error).toMatchObject({ eid });
  });

  it.each<[string, string, string]>([
    ['id', '', 'is empty'],
    ['aggregatetype', '', 'is empty'],
    ['aggregateid', '', 'is empty'],
    ['type', '', 'is empty'],
    ['data_op', 'X', 'C, U, D, S'],
    ['data_op', 'c', 'C, U, D, S'],
    ['version', '1.5', 'whole number'],
    ['version', '-1', 'whole number'],
    ['headers', 'null', 'JSON object'],
    ['headers', '[]', 'JSON object'],
    ['headers', '"secret"', 'JSON object'],
    ['headers', '{"a":1}', 'not a string'],
    ['headers', '{"a":{"secret":"x"}}', 'not a string'],
    ['headers', '{', 'not JSON'],
    ['created_at', 'infinity', 'time in UTC'],
    ['created_at', '0044-03-15 00:00:00+00 BC', 'time in UTC'],
    ['created_at', '2026-03-01 12:34:56+02', 'time in UTC'],
    ['created_at', '10000-01-01 00:00:00+00', 'time in UTC'],
  ])('with %s = %s is malformed, and the value is not repeated', (column, value, words) => {
    const error = refusal(() => decode(outboxRow({ [column]: value })));
    expect(error).toMatchObject({ code: 'EVENT_MALFORMED' });
    expect(String(error)).toContain(`column ${column}`);
    expect(String(error)).toContain(words);
    expect(String(error)).not.toContain('secret');
    if (value.length > 4) expect(String(error)).not.toContain(value);
  });

  it('with a text that is no JSON is malformed where Postgres did not check it', () => {
    const error = refusal(() =>
      decode(outboxRow({ payload: '{"secret' }), withType('payload', 25)),
    );
    expect(error).toMatchObject({ code: 'EVENT_MALFORMED', eid });
    expect(String(error)).not.toContain('secret');
  });

  it('keeps a header named __proto__ as a header and nothing else', () => {
    const { headers } = decode(outboxRow({ headers: '{"__proto__":"x"}' }));
    expect(Object.keys(headers)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
  });

  it('throws nothing but RelayError, whatever the row holds', () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.json(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 9, maxLength: 9 }),
        fc.nat({ max: 8 }),
        (values, column) => {
          const single = outboxRow();
          single[column] = values[0] ?? null;
          for (const row of [values, single]) {
            const error = refusal(() => decode(row, withType('payload', 25)));
            if (error !== undefined) expect(error).toBeInstanceOf(RelayError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('cannot come before its relation', () => {
    expect(refusal(() => new OutboxDecoder().decode(new Tuple(), position, 0))).toMatchObject({
      code: 'INVARIANT_BROKEN',
    });
  });
});
