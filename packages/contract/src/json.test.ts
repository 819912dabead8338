import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonTextError } from './json-text-error.ts';
import { JsonNumber } from './json-value.ts';
import { isJsonObject, parseJson, stringifyJson } from './json.ts';

const failure = (action: () => unknown) => {
  try {
    action();
  } catch (error) {
    if (error instanceof JsonTextError) return { code: error.code, pointer: error.pointer };
    throw error;
  }
  throw new Error('it was taken');
};

describe('lossless', () => {
  test.each([
    '12345678901234567890',
    '-12345678901234567890.12345678901234567890',
    '1.50',
    '0.1000',
    '1e400',
    '1E+2',
    '-0',
    '-0.0',
    '9007199254740993',
    '1e-400',
    '100000000000000000000000',
  ])('the number %s is kept digit for digit', (text) => {
    expect(parseJson(text)).toBeInstanceOf(JsonNumber);
    expect(stringifyJson(parseJson(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`);
  });

  test.each(['0', '1', '-1.5', '9007199254740991', '1e+21', '0.1'])(
    'the number %s is an ordinary number',
    (text) => {
      expect(parseJson(text)).toBe(Number(text));
      expect(stringifyJson(parseJson(text))).toBe(text);
    },
  );

  /** Text of a JSON document without white space, with numbers of any length and form. */
  const key = fc
    .string({ unit: 'grapheme', maxLength: 8 })
    // JavaScript puts keys that look like indexes first, whatever their order was.
    .filter((name) => !/^\d+$/.test(name) && !/^(__proto__|constructor|prototype)$/.test(name))
    .filter((name) => !name.includes('\0'));
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.stringMatching(/^(0|[1-9][0-9]{0,30})$/),
      fc.stringMatching(/^(\.[0-9]{1,30})?$/),
      fc.stringMatching(/^([eE][+-]?[0-9]{1,3})?$/),
    )
    .map((parts) => parts.join(''));
  const { document } = fc.letrec<{ document: string }>((tie) => ({
    document: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom('null', 'true', 'false', '[]', '{}'),
      number,
      key.map((text) => JSON.stringify(text)),
      fc.array(tie('document'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
      fc
        .uniqueArray(fc.tuple(key, tie('document')), { maxLength: 4, selector: ([name]) => name })
        .map((members) => members.map(([name, text]) => `${JSON.stringify(name)}:${text}`))
        .map((members) => `{${members.join(',')}}`),
    ),
  }));

  test('what is read is written byte for byte as it was', () => {
    fc.assert(
      fc.property(document, (text) => {
        expect(stringifyJson(parseJson(text))).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('what JSON.parse takes without loss is read to the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/"(__proto__|constructor|prototype)":|\\u0000|\\ud[89a-f]/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test('white space and escapes are read as JSON has them', () => {
    expect(parseJson(' { "a\\u00e9\\n" :\t[ 1 , "\\ud83d\\ude00" ] }\r\n')).toEqual({
      'aé\n': [1, '😀'],
    });
  });
});

describe('refused', () => {
  test.each([
    ['{"price":1,"price":2}', 'JSON_DUPLICATE_KEY', '/price'],
    ['{"price":1,"price":1}', 'JSON_DUPLICATE_KEY', '/price'],
    ['{"a":{"b":1},"c":[{"d":1,"\\u0064":2}]}', 'JSON_DUPLICATE_KEY', '/c/0/d'],
    ['{"a/b~":{"x":1,"x":1}}', 'JSON_DUPLICATE_KEY', '/a~1b~0/x'],
    ['{"__proto__":{}}', 'JSON_FORBIDDEN_KEY', '/__proto__'],
    ['{"a":{"\\u005f_proto__":1}}', 'JSON_FORBIDDEN_KEY', '/a/__proto__'],
    ['{"constructor":1}', 'JSON_FORBIDDEN_KEY', '/constructor'],
    ['{"a":["x","\\ud800"]}', 'JSON_BAD_STRING', '/a/1'],
    ['{"a":"\\udc00\\ud800"}', 'JSON_BAD_STRING', '/a'],
    ['{"a":"\\u0000"}', 'JSON_BAD_STRING', '/a'],
    ['{"a":{"\\ud800":1}}', 'JSON_BAD_STRING', '/a'],
    ['{"\\u0000":1}', 'JSON_BAD_STRING', ''],
    ['{"a":"\ud800"}', 'JSON_BAD_STRING', '/a'],
  ])('%j', (text, code, pointer) => {
    expect(failure(() => parseJson(text))).toEqual({ code, pointer });
  });

  test.each([
    '',
    ' ',
    '{',
    '{"a"',
    '{"a":}',
    '[1,]',
    '{"a":1,}',
    'nul',
    '01',
    '1.',
    '.5',
    '+1',
    'NaN',
  ])('the text %j, as bad syntax', (text) => {
    expect(failure(() => parseJson(text)).code).toBe('JSON_SYNTAX');
  });

  test.each(["{'a':1}", '"a', '"\\x"', '"\n"', '1 2', '{}{}', ']', '}', '[}', '{"a":1]', '{1:2}'])(
    'the text %j, as bad syntax too',
    (text) => {
      expect(failure(() => parseJson(text)).code).toBe('JSON_SYNTAX');
    },
  );

  test('depth beyond 32, however deep, without recursion', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parseJson(nested(32))).not.toThrow();
    expect(failure(() => parseJson(nested(33))).code).toBe('JSON_TOO_DEEP');
    expect(failure(() => parseJson('['.repeat(1_000_000))).code).toBe('JSON_TOO_DEEP');
    expect(failure(() => parseJson('{"a":'.repeat(1_000_000))).code).toBe('JSON_TOO_DEEP');
  });

  test('more than 1,000 keys in all', () => {
    const keys = (count: number) =>
      `[${Array.from({ length: count }, (_, index) => `{"k${index}":1}`).join(',')}]`;
    expect(() => parseJson(keys(1_000))).not.toThrow();
    expect(failure(() => parseJson(keys(1_001))).code).toBe('JSON_TOO_MANY_KEYS');
  });

  test('the message never quotes what was sent', () => {
    expect(() => parseJson('{"a": hunter2}')).toThrow(
      /^the document is not JSON: see character 6$/,
    );
    expect(() => parseJson('{"a":"hunter2\\ud800"}')).toThrow(
      /^\/a holds half of a surrogate pair/,
    );
  });

  test.each([
    [{ a: Number.NaN }, '/a'],
    [{ a: [1, Infinity] }, '/a/1'],
    [{ a: -0 }, '/a'],
    [{ a: 1n }, '/a'],
    [{ a: new Date(0) }, '/a'],
    [{ a: new Map() }, '/a'],
    [{ a: () => 1 }, '/a'],
    [[undefined], ''],
    [undefined, ''],
  ])('writing %o, which JSON cannot carry', (value, pointer) => {
    expect(failure(() => stringifyJson(value))).toEqual({ code: 'JSON_UNREPRESENTABLE', pointer });
  });

  test('writing text that Postgres would change or refuse', () => {
    expect(failure(() => stringifyJson({ a: '\ud800' }))).toEqual({
      code: 'JSON_BAD_STRING',
      pointer: '/a',
    });
    expect(failure(() => stringifyJson({ 'a\0': 1 })).code).toBe('JSON_BAD_STRING');
  });
});

test('members that are undefined are left out', () => {
  expect(stringifyJson({ a: undefined, b: 1 })).toBe('{"b":1}');
});

test('an object is neither null, nor an array, nor a number kept as text, nor an instance of a class', () => {
  expect([{}, Object.create(null), parseJson('{}')].map(isJsonObject)).toEqual([true, true, true]);
  expect([null, [], new JsonNumber('1'), new Date(), 'a'].some(isJsonObject)).toBe(false);
});
