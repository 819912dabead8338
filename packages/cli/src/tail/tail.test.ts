import type { KafkaRecord } from '@outbound/consumer';
import { keyText } from '@outbound/kafka';
import { partitionOf } from '@outbound/contract';
import { describe, expect, test } from 'vitest';
import { compileFormat } from './format.ts';
import { parseOffsetSpec, startOffset } from './offset-spec.ts';
import { recordFilter } from './record-filter.ts';
import { tailPlan } from './tail-plan.ts';

const record: KafkaRecord = {
  topic: 'catalog.product',
  partition: 3,
  offset: 1042n,
  timestampMs: 1_790_000_000_123,
  key: Buffer.from('abc'),
  value: Buffer.from('{"a":"ü"}'),
  headers: { ce_id: 'event-1', data_op: 'U' },
  headerList: () => [],
};

describe('-o', () => {
  test.each([
    ['beginning', { kind: 'beginning' }],
    ['end', { kind: 'end' }],
    ['0', { kind: 'offset', offset: 0n }],
    ['9007199254740993', { kind: 'offset', offset: 9_007_199_254_740_993n }],
    ['-5', { kind: 'last', count: 5n }],
    ['@1790000000000', { kind: 'time', timeMs: 1_790_000_000_000 }],
    ['@2026-03-01', { kind: 'time', timeMs: Date.UTC(2026, 2, 1) }],
    ['@2026-03-01T12:00:00.5+02:00', { kind: 'time', timeMs: Date.UTC(2026, 2, 1, 10, 0, 0, 500) }],
  ])('%s is understood', (text, spec) => {
    expect(parseOffsetSpec(text)).toEqual(spec);
  });

  test.each([
    '',
    'start',
    '-0',
    '+5',
    '1.5',
    '@',
    '@yesterday',
    '@2026-03-01T12:00:00',
    '@2026-13-01',
  ])('"%s" is refused with what would do', (text) => {
    expect(() => parseOffsetSpec(text)).toThrow(/say beginning, end, an offset, -N/);
  });

  test('begins within what is there', () => {
    const range = { low: 100n, high: 200n };
    const at = (text: string, time?: bigint) => startOffset(parseOffsetSpec(text), range, time);
    expect(at('beginning')).toBe(100n);
    expect(at('end')).toBe(200n);
    expect(at('150')).toBe(150n);
    expect(at('5')).toBe(100n);
    expect(at('500')).toBe(200n);
    expect(at('-5')).toBe(195n);
    expect(at('-500')).toBe(100n);
    expect(at('@0', 120n)).toBe(120n);
    expect(at('@0')).toBe(200n);
  });
});

describe('what is read', () => {
  const ranges = [0, 1, 2, 3, 4, 5].map((partition) => ({
    partition,
    low: 0n,
    high: 10n,
    leader: 1,
    replicas: [1],
  }));
  const plan = { topic: 't', ranges, start: parseOffsetSpec('-2') };

  test('is every partition, or one, or the one of the key', () => {
    expect([...tailPlan(plan).keys()]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...tailPlan({ ...plan, partition: 4 })]).toEqual([[4, 8n]]);
    expect([...tailPlan({ ...plan, key: 'abc' }).keys()]).toEqual([partitionOf('abc', 6)]);
  });

  test('is not a partition that does not exist', () => {
    expect(() => tailPlan({ ...plan, partition: 6 })).toThrow('it has 0 to 5');
  });
});

describe('what is shown', () => {
  test('is of the key, byte for byte, and holds the text', () => {
    expect(recordFilter({})(record)).toBe(true);
    expect(recordFilter({ key: 'abc' })(record)).toBe(true);
    expect(recordFilter({ key: 'ab' })(record)).toBe(false);
    expect(recordFilter({ key: 'abc' })({ ...record, key: null })).toBe(false);
    for (const text of ['ü', 'bc', 'event-1']) expect(recordFilter({ text })(record)).toBe(true);
    expect(recordFilter({ text: 'Ü' })(record)).toBe(false);
    expect(recordFilter({ text: 'vent' })({ ...record, key: null, value: null })).toBe(true);
    expect(recordFilter({ text: 'x' })({ ...record, value: null })).toBe(false);
  });
});

describe('-f', () => {
  const text = (format: string, over: Partial<KafkaRecord> = {}, toTerminal = false) =>
    compileFormat(format, { toTerminal })({ ...record, ...over });

  test("has kcat's tokens", () => {
    expect(text('%t %p %o %k %K %s %S %T %h%%\\n\\t\\x41')).toBe(
      'catalog.product 3 1042 abc 3 {"a":"ü"} 10 1790000000123 ce_id=event-1,data_op=U%\n\tA',
    );
    expect(text('%k|%K|%s|%S', { key: null, value: null })).toBe('|-1||-1');
  });

  test('writes headers on one line, whoever made them', () => {
    const headers = { 'a\nb': '\u001b[2Jx\n', c: '\u202e' };
    expect(text('%h', { headers })).toBe('a\\nb=\\x1b[2Jx\\n,c=\\u202e');
  });

  test('has the value of one header', () => {
    expect(text('%{ce_id}|%{none}')).toBe('event-1|');
  });

  test.each(['%z', '100%', '\\q', 'end\\'])('refuses %s, and says what it knows', (format) => {
    expect(() => text(format)).toThrow('it knows %t %p %o');
  });

  test('escapes what a terminal would obey, and only there', () => {
    const value = Buffer.from('red \u001b[31m\u202e two\nlines');
    expect(text('%s', { value })).toBe('red \u001b[31m\u202e two\nlines');
    expect(text('%s\\x1b', { value }, true)).toBe('red \\x1b[31m\\u202e two\nlines\u001b');
  });

  test('loses no byte that is not text', () => {
    expect(text('%s', { value: Buffer.from([0x41, 0xff, 0x00, 0x5c]) })).toBe('A\\xff\\x00\\x5c');
  });
});

test.each(['fffe0001', '6100', '5c7861', 'c3a4'])(
  'a key of the bytes %s is found by the text that a line shows for it, in its own partition',
  (hex) => {
    const bytes = Buffer.from(hex, 'hex');
    const key = keyText(bytes);
    const ranges = Array.from({ length: 7 }, (_, partition) => ({
      partition,
      low: 0n,
      high: 9n,
      leader: 1,
      replicas: [1],
    }));
    const plan = tailPlan({ topic: 't', ranges, start: { kind: 'beginning' }, key });
    expect([...plan.keys()]).toEqual([partitionOf(bytes, ranges.length)]);
    const isShown = recordFilter({ key });
    expect(isShown({ ...record, key: bytes })).toBe(true);
    expect(isShown({ ...record, key: Buffer.from('ff', 'hex') })).toBe(false);
  },
);
