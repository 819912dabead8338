import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOrdinaryJson } from './json-fast.ts';
import { JsonTextError } from './json-text-error.ts';
import { JsonNumber } from './json-value.ts';
import { parseAnyJson } from './json.ts';

/** What a parser says of a text: the value and the class of each thing in it, or why not. */
function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    return { code: error.code, pointer: error.pointer };
  }
}

const limits = { depth: 4, keys: 6 };
const words = ['a', 'b', '7', '__proto__', 'constructor', 'ä', '😀', '\\u0061', '\\u005f_proto__'];
const strange = ['\\ud800', '\\u0000', '\\ud83d\\ude00', '\\"', '\\\\', '\\n', ':', '{', '\ud800'];
const text = fc
  .array(fc.constantFrom(...words, ...strange), { maxLength: 2 })
  .map((parts) => `"${parts.join('')}"`);
const key = fc.oneof(
  { arbitrary: fc.constantFrom('"a"', '"b"', '"c"', '"d"'), weight: 8 },
  { arbitrary: text, weight: 1 },
);
const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc
    .tuple(
      fc.constantFrom('', '-', '--', '0'),
      fc.stringMatching(/^[0-9]{0,18}$/),
      fc.stringMatching(/^(\.[0-9]{0,18})?$/),
      fc.stringMatching(/^([eE][+-]?[0-9]{0,3})?$/),
    )
    .map((parts) => parts.join('')),
);
const space = fc.constantFrom('', '', '', ' ', '\n\t');
const { document } = fc.letrec<{ document: string }>((tie) => ({
  document: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', '[]', '{}', '0', '1', '-1.5', '99.95', '""'),
    number,
    text,
    fc
      .tuple(fc.array(tie('document'), { maxLength: 3 }), space)
      .map(([items, gap]) => `[${items.join(`${gap},`)}]`),
    fc
      .tuple(fc.array(fc.tuple(key, tie('document')), { maxLength: 4 }), space)
      .map(([members, gap]) => members.map((pair) => pair.join(`${gap}:`)).join(`,${gap}`))
      .map((members) => `{${members}}`),
  ),
}));
/** The text, and now and then something in it that does not belong there. */
const broken = fc
  .tuple(document, fc.nat(), fc.constantFrom('', '', '"', '\\', ',', '}', '1', '-', '\0', ':'))
  .map(([whole, place, extra]) => {
    const at = place % (whole.length + 1);
    return whole.slice(0, at) + extra + whole.slice(at);
  });

const asNumber = (_key: string, value: unknown): unknown =>
  value instanceof JsonNumber ? Number(value.value) : value;

describe('the ordinary parser', () => {
  it('gives what the careful one gives, or leaves the text to it', () => {
    let taken = 0;
    fc.assert(
      fc.property(broken, (json) => {
        const value = parseOrdinaryJson(json, limits);
        if (value === undefined) return;
        taken += 1;
        expect({ value }).toStrictEqual(outcome(() => parseAnyJson(json, limits)));
        expect(JSON.stringify(value, asNumber)).toBe(JSON.stringify(JSON.parse(json)));
      }),
      { numRuns: 30_000 },
    );
    // Otherwise it has proven nothing.
    expect(taken).toBeGreaterThan(5_000);
  });

  it('takes every number, and those that JavaScript would print in another way as their text', () => {
    fc.assert(
      fc.property(number, (json) => {
        const value = parseOrdinaryJson(json, limits);
        let parsed: unknown;
        try {
          parsed = JSON.parse(json);
        } catch {
          expect(value).toBeUndefined();
          return;
        }
        expect(value).toEqual(String(parsed) === json ? parsed : new JsonNumber(json));
      }),
      { numRuns: 30_000 },
    );
  });

  it('takes text with escapes and characters beyond the first plane, as far as it is whole', () => {
    expect(parseOrdinaryJson('{"\\u00e9":"\\ud83d\\ude00 😀 \\" \\\\"}', limits)).toEqual({
      é: '😀 😀 " \\',
    });
    for (const refused of ['"\\ud800"', '["\ud800"]', '{"a":"\\u0000"}', '{"\\u0000":1}'])
      expect(parseOrdinaryJson(refused, limits)).toBeUndefined();
  });
});
