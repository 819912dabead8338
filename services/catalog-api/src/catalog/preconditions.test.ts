import { describe, expect, it } from 'vitest';
import { assertPreconditions, readPreconditions } from './preconditions.ts';

const refusal = (header: 'if-match' | 'if-none-match', text: string, version: number | null) => {
  try {
    assertPreconditions(readPreconditions({ [header]: text }), version);
    return 'holds';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a refused If-Match says what is wrong with it', () => {
  it.each([
    ['"6"', /^If-Match does not name the current version, which is "7"\. Read/],
    // It looks like the current version, so "it is not the current version" alone would contradict itself.
    [
      'W/"7"',
      /W\/ makes the tag weak, and If-Match takes strong ones only \(RFC 9110 13\.1\.1\).*send "7"/,
    ],
    ['"6", W/"7"', /makes the tag weak/],
    ['"7-gzip"', /ends in "-gzip", which something between us has added.*send "7"/],
    ['W/"7-br"', /ends in "-br"/],
    ['"70-gzip"', /^If-Match does not name/],
    ['"7-<script>"', /^If-Match does not name/],
  ])('%s against version 7', (text, message) => {
    expect(refusal('if-match', text, 7)).toMatch(message);
  });

  it.each(['"7"', '*', 'W/"7", "7"', '"7-gzip", "7"'])('%s holds', (text) => {
    expect(refusal('if-match', text, 7)).toBe('holds');
  });

  it('also where there is nothing', () => {
    expect(refusal('if-match', 'W/"7"', null)).toMatch(/the resource does not exist/);
  });
});
