import { schemaIdPrefix } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { stateEntry } from './state-entry.ts';

const entry = (
  value: string | Buffer | null,
  {
    key = 'k',
    headers = {},
  }: { key?: string | Buffer | null; headers?: Record<string, string> } = {},
) =>
  stateEntry(
    {
      topic: 't',
      partition: 1,
      offset: 7n,
      timestampMs: 0,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
      headerList: () => [],
    },
    ['data', 'version'],
  );

describe('what a record says of its key', () => {
  it('is its version, by the value or, before it, by the header', () => {
    expect(entry('{"data":{"version":3}}').version).toBe(3);
    expect(entry('{"data":{"version":3}}', { headers: { data_version: '4' } }).version).toBe(4);
    expect(entry(null, { headers: { data_version: '5' } })).toEqual({
      key: 'k',
      version: 5,
      value: undefined,
      partition: 1,
      offset: 7n,
    });
  });

  it.each([
    'not json',
    '[]',
    '{"data":{"version":"x"}}',
    '{"data":{"version":1.5}}',
    '{}',
    '3',
    '',
  ])('has no version in %j', (value) => {
    expect(entry(value).version).toBeUndefined();
  });

  it('is the version of a value that names its schema', () => {
    const value = Buffer.concat([schemaIdPrefix(3), Buffer.from('{"data":{"version":6}}')]);
    expect(entry(value).version).toBe(6);
  });

  it('keeps keys apart that are no text', () => {
    const keys = ['fffe0001', 'ffff0001', 'efbfbd'].map((key) => Buffer.from(key, 'hex'));
    expect(new Set(keys.map((key) => entry('{}', { key }).key)).size).toBe(3);
  });

  it('is nothing without a key', () => {
    expect(() => entry('{}', { key: null })).toThrow('t/1 offset 7 has no key');
  });
});
