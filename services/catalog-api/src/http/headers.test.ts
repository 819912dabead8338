import { describe, expect, it } from 'vitest';
import { assertChosenId, readEntityId } from './entity-id.ts';
import { isFlowId } from './flow-id.ts';
import { readIdempotencyKey, requestHash } from './idempotency-key.ts';
import { assertMediaType, jsonMediaType, mergePatchMediaType } from './media-type.ts';
import { absolute, pageLinks } from './page-links.ts';
import { readTraceparent } from './traceparent.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

describe('traceparent', () => {
  it.each([
    `00-${trace}-${parent}-01`,
    `00-${trace}-${parent}-00`,
    `01-${trace}-${parent}-01-more`,
  ])('%s is taken as it is', (text) => {
    expect(readTraceparent(text)).toBe(text);
  });

  it.each([
    undefined,
    '',
    'x',
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-01-more`,
    `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${trace}-${parent}-01, 00-${trace}-${parent}-01`,
  ])('%s counts as none', (text) => {
    expect(readTraceparent(text)).toBeUndefined();
  });
});

describe('X-Flow-ID', () => {
  it.each([
    ['a', true],
    ['7da7a728-f910-11e6-942a-68f728c1ba70', true],
    ['aZ09/+_-=', true],
    ['a'.repeat(128), true],
    ['a'.repeat(129), false],
    ['', false],
    ['a b', false],
    ['a\n', false],
    ['\u00e9', false],
  ])('%j is one: %s', (text, expected) => {
    expect(isFlowId(text)).toBe(expected);
  });
});

describe('Idempotency-Key', () => {
  it('is taken as it is, and its absence is none', () => {
    expect(readIdempotencyKey('"8e03978e"')).toBe('"8e03978e"');
    expect(readIdempotencyKey(undefined)).toBeUndefined();
  });

  it.each(['', ' ', 'a\tb', '\u007f', 'a'.repeat(256)])('%j is refused', (text) => {
    expect(() => readIdempotencyKey(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_HEADER' }),
    );
  });

  it('is compared by SHA-256 of the body', () => {
    expect(requestHash(Buffer.from('abc')).toString('hex')).toMatch(/^ba7816bf8f01cfea/);
  });
});

describe('ids', () => {
  it('are shown in lower case', () => {
    expect(readEntityId('019376E4-8C3A-7C7E-A1B2-0123456789AB')).toBe(
      '019376e4-8c3a-7c7e-a1b2-0123456789ab',
    );
  });

  it('that a caller chooses are of version 7', () => {
    expect(() => assertChosenId('019376e4-8c3a-7c7e-a1b2-0123456789ab')).not.toThrow();
    expect(() => assertChosenId('019376e4-8c3a-4c7e-a1b2-0123456789ab')).toThrow(
      expect.objectContaining({ code: 'INVALID_ID' }),
    );
  });
});

describe('media types', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ])('%s is JSON', (type) => {
    expect(() => assertMediaType(jsonMediaType, { 'content-type': type })).not.toThrow();
  });

  it.each([
    [{ 'content-type': 'text/json' }, { accept: jsonMediaType }],
    [{ 'content-type': 'application/json; charset=utf-16' }, { accept: jsonMediaType }],
    [
      { 'content-type': 'application/json', 'content-encoding': 'br' },
      { 'accept-encoding': 'identity' },
    ],
  ])('%j is refused and the answer says what is taken', (headers, answered) => {
    expect(() => assertMediaType(jsonMediaType, headers)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_MEDIA_TYPE', headers: answered }),
    );
  });

  it('a patch has its own way to say so', () => {
    expect(() =>
      assertMediaType(mergePatchMediaType, { 'content-type': 'application/json' }),
    ).toThrow(expect.objectContaining({ headers: { 'accept-patch': mergePatchMediaType } }));
  });
});

describe('links', () => {
  it('carry filters and limit, encoded', () => {
    expect(
      pageLinks({
        publicUrl: undefined,
        path: '/products',
        parameters: [['brand', 'A & B']],
        limit: 5,
        cursor: 'c0',
        prev: undefined,
        next: 'c1',
        changes: undefined,
      }),
    ).toEqual({
      self: '/products?brand=A+%26+B&limit=5&cursor=c0',
      first: '/products?brand=A+%26+B&limit=5',
      next: '/products?brand=A+%26+B&limit=5&cursor=c1',
    });
  });

  it('are put under the public URL', () => {
    expect(absolute('https://x.example/catalog/', '/products')).toBe(
      'https://x.example/catalog/products',
    );
  });
});
