import { describe, expect, it } from 'vitest';
import { maxLineBytes, NdjsonLines, type NdjsonLine } from './ndjson-lines.ts';

function cut(bytes: Buffer, step: number): readonly unknown[] {
  const lines = new NdjsonLines();
  const found: NdjsonLine[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    found.push(...lines.push(bytes.subarray(at, at + step)));
    expect(lines.keptBytes).toBeLessThanOrEqual(maxLineBytes);
  }
  found.push(...lines.end());
  return found.map((line) =>
    'text' in line ? [line.number, line.text] : [line.number, line.error.code],
  );
}

describe('NdjsonLines', () => {
  const long = Buffer.alloc(maxLineBytes + 1, 'x');
  const bytes = Buffer.concat([
    Buffer.from('{"a":"ü€😀"}\n\n \t\r\n[1]\r\n'),
    Buffer.from([0x22, 0xff, 0x22, 0x0a]),
    long.subarray(1),
    Buffer.from('\n'),
    long,
    long,
    Buffer.from('\nlast'),
  ]);
  const expected = [
    [1, '{"a":"ü€😀"}'],
    [4, '[1]\r'],
    [5, 'MALFORMED_JSON'],
    [6, long.subarray(1).toString()],
    [7, 'BODY_TOO_LARGE'],
    [8, 'last'],
  ];

  it.each([1_021, 4_096, 262_145, 1 << 30])(
    'gives the same lines in pieces of %i bytes',
    (step) => {
      expect(cut(bytes, step)).toEqual(expected);
    },
  );

  it('takes a line that comes byte by byte, and nothing at all', () => {
    expect(cut(Buffer.from('{"a":1}\n{"b":2}'), 1)).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
    ]);
    expect(cut(Buffer.from(''), 1)).toEqual([]);
    expect(cut(Buffer.from('\n\n'), 1)).toEqual([]);
  });
});
