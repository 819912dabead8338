import {
  dataChangeEvent,
  JsonNumber,
  productChange,
  recordHeader,
  schemaIdPrefix,
} from '@outbound/schemas';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { parseRecord, type InboundRecord } from './parse-record.ts';
import { tolerantSchema } from './tolerant-schema.ts';

const note = dataChangeEvent({
  dataType: 'test.note',
  version: '1.2.0',
  owner: 'tests',
  data: z.strictObject({
    id: z.string(),
    version: z.int(),
    lines: z.array(z.strictObject({ text: z.string() })).optional(),
    extra: z.custom<unknown>().optional(),
  }),
  partitions: 1,
});

const eid = '0193ad5e-0000-7000-8000-000000000001';
const value = {
  metadata: {
    eid,
    event_type: 'test.note-change',
    occurred_at: '2026-01-01T00:00:00.000Z',
    version: '1.9.3',
  },
  data_op: 'U',
  data_type: 'test.note',
  data: { id: 'n1', version: 7, lines: [{ text: 'secret' }] },
};

function record(
  content: unknown,
  headers: Record<string, string> = { [recordHeader.type]: 'test.note-change' },
): InboundRecord {
  return {
    topic: 't',
    partition: 2,
    offset: 9n,
    timestampMs: 5,
    key: 'n1',
    hasKey: true,
    headers,
    value:
      content === null
        ? null
        : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
  };
}

function event(content: unknown, headers?: Record<string, string>) {
  const parsed = parseRecord(record(content, headers), note);
  if (parsed.is !== 'event') throw new Error(`it is ${JSON.stringify(parsed)}`);
  return parsed.event;
}

describe('parseRecord', () => {
  it('gives the typed event with its identity, place and version', () => {
    const parsed = event(value);
    expect(parsed).toMatchObject({
      eid,
      version: 7,
      dataOp: 'U',
      key: 'n1',
      topic: 't',
      partition: 2,
      offset: 9n,
      isReplay: false,
    });
    if (parsed.data === undefined) throw new Error('it is a tombstone');
    expectTypeOf(parsed.data.version).toEqualTypeOf<number>();
    expect(parsed.data.lines).toEqual([{ text: 'secret' }]);
  });

  it('keeps fields that the declaration does not know, at any depth', () => {
    const data = { ...value.data, lines: [{ text: 'a', colour: 'red' }], weight: 3 };
    expect(event({ ...value, later: true, data })).toMatchObject({
      value: { later: true },
      data: { weight: 3, lines: [{ colour: 'red' }] },
    });
    expect(note.value.safeParse({ ...value, later: true }).success).toBe(false);
  });

  it('loses no digit', () => {
    const text = JSON.stringify(value).replace('"version":7', '"version":7,"extra":1.50');
    expect(event(text).data).toMatchObject({ extra: new JsonNumber('1.50') });
  });

  it('reads a null value as the deletion of its key', () => {
    expect(event(null, { [recordHeader.id]: eid })).toMatchObject({
      eid,
      dataOp: 'D',
      data: undefined,
      version: undefined,
    });
    expect(event(null, { data_version: '8' })).toMatchObject({ eid: 't/2/9', version: 8 });
  });

  it('reads a value that names its schema before its JSON', () => {
    const json = Buffer.from(JSON.stringify(value));
    const named = { ...record(value), value: Buffer.concat([schemaIdPrefix(7), json]) };
    expect(parseRecord(named, note)).toMatchObject({ is: 'event', event: { eid, version: 7 } });
  });

  it('tells a replay', () => {
    expect(event(value, { replay: 'true' }).isReplay).toBe(true);
  });

  it('leaves events of other types alone', () => {
    const other = record('anything', { [recordHeader.type]: 'test.other' });
    expect(parseRecord(other, note)).toEqual({ is: 'ignored', why: 'other-type' });
  });

  it.each([
    ['fail', 'invalid'],
    ['skip', 'ignored'],
    ['pass', 'event'],
  ] as const)('treats another major version by the policy %s', (policy, is) => {
    const newer = { ...value, metadata: { ...value.metadata, version: '2.0.0' } };
    expect(parseRecord(record(newer), note, policy).is).toBe(is);
  });

  it.each([
    ['no JSON', '{"a": secret}', 'JSON_SYNTAX'],
    [
      'a field of the wrong type',
      { ...value, data: { id: 'secret', version: 'secret' } },
      'data.version (invalid_type)',
    ],
    ['no object', '"secret"', 'the value (invalid_type)'],
  ])('says what is wrong with %s, and shows nothing of it', (_, content, why) => {
    const parsed = parseRecord(record(content), note);
    if (parsed.is !== 'invalid') throw new Error(`it is ${parsed.is}`);
    expect(parsed.error.code).toBe('EVENT_INVALID');
    expect(parsed.error.message).toContain(why);
    expect(parsed.error.message).not.toContain('secret');
  });

  it('refuses bytes that are not UTF-8', () => {
    const bad = { ...record(value), value: Buffer.from([0x22, 0xff, 0x22]) };
    expect(parseRecord(bad, note)).toMatchObject({
      is: 'invalid',
      error: { code: 'EVENT_INVALID' },
    });
  });
});

describe('tolerantSchema', () => {
  it('keeps the checks of what is declared', () => {
    const schema = z
      .strictObject({
        a: z.string().min(2),
        b: z.union([z.strictObject({ c: z.int() }), z.null()]),
      })
      .refine(({ a }) => a !== 'no');
    const tolerant = tolerantSchema(schema);
    expect(tolerant.safeParse({ a: 'ok', b: { c: 1, d: 2 }, e: 3 }).data).toEqual({
      a: 'ok',
      b: { c: 1, d: 2 },
      e: 3,
    });
    expect(tolerant.safeParse({ a: 'o', b: null }).success).toBe(false);
    expect(tolerant.safeParse({ a: 'no', b: null }).success).toBe(false);
    expect(tolerantSchema(schema)).toBe(tolerant);
  });

  it('reads every declared event type as its own', () => {
    expect(tolerantSchema(productChange.value).safeParse({}).success).toBe(false);
  });
});
