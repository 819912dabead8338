import { dataChangeEvent, JsonNumber, recordHeader, schemaIdPrefix } from '@outbound/contract';
import { productChange } from '@outbound/schemas';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { parseRecord } from './parse-record.ts';
import { kafkaRecord } from './test-support/kafka-record.ts';

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
) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return kafkaRecord({ key: 'n1', value: content === null ? null : text, headers });
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
      dataType: 'test.note',
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
    expect(event(null, { data_version: '8' })).toMatchObject({ eid: 't/2/9@5', version: 8 });
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

  it('reads a byte order mark for what it is', () => {
    expect(event(`\ufeff${JSON.stringify(value)}`).eid).toBe(eid);
  });

  it('tells keys apart that are no text, and a null key from an empty one only by its bytes', () => {
    const keys = ['fffe0001', 'ffff0001'].map((hex) => Buffer.from(hex, 'hex'));
    const parsed = [...keys, Buffer.alloc(0), null].map((key) =>
      parseRecord({ ...record(value), key }, note),
    );
    expect(parsed.map((each) => each.is === 'event' && each.event.key)).toEqual([
      '\\xfffe0001',
      '\\xffff0001',
      '',
      '',
    ]);
  });

  it('does not ask again for what limited the sender: lists of codes, lengths, patterns', () => {
    const product = {
      id: 'not a UUID',
      sku: 'with spaces',
      name: ' x '.repeat(200),
      price: { amount: 9.5, currency: 'QQQ', rounded: false },
      attributes: {},
      status: 'ACTIVE',
      version: 7,
      created_at: 'once',
      updated_at: 'again',
    };
    const content = { ...value, data_type: 'catalog.product', data: product };
    expect(productChange.value.safeParse(content).success).toBe(false);
    const read = (data: object) =>
      parseRecord(record({ ...content, data }, { ce_type: productChange.name }), productChange);
    expect(read(product)).toMatchObject({ is: 'event', event: { version: 7, data: product } });
    expect(read({ ...product, status: 'UNHEARD_OF' })).toMatchObject({ is: 'invalid' });
    expect(read({ ...product, price: { amount: 1e300, currency: 'EUR' } }).is).toBe('invalid');
  });

  it('takes an error of the declaration’s own code for a value that it does not fit', () => {
    const picky = dataChangeEvent({
      dataType: 'test.note',
      version: '1.0.0',
      owner: 'tests',
      data: z.string().transform((text) => {
        throw new RangeError(`no place for ${text}`);
      }),
      partitions: 1,
    });
    const parsed = parseRecord(record({ ...value, data: 'secret' }), picky);
    expect(parsed).toMatchObject({ is: 'invalid', error: { code: 'EVENT_INVALID' } });
    expect(JSON.stringify(parsed)).not.toContain('secret');
  });
});
