import { describe, expect, it } from 'vitest';
import { entityTag, matchesStrongly, matchesWeakly, parseEntityTags } from './entity-tag.ts';

describe('entity tags', () => {
  it('are the quoted version', () => {
    expect(entityTag(7)).toBe('"7"');
  });

  it.each([
    ['*', '*'],
    [' * ', '*'],
    ['"7"', [{ weak: false, opaque: '7' }]],
    ['W/"7"', [{ weak: true, opaque: '7' }]],
    ['"a" ,, "b,c",W/"d"', ['a', 'b,c', 'd'].map((opaque) => ({ weak: opaque === 'd', opaque }))],
    ['""', [{ weak: false, opaque: '' }]],
    // Empty elements of a list are ignored wherever they are (RFC 9110 5.6.1.2).
    [', "a" ,\t,', [{ weak: false, opaque: 'a' }]],
    [',,W/"a"', [{ weak: true, opaque: 'a' }]],
  ])('%s is read', (text, tags) => {
    expect(parseEntityTags('If-Match', text)).toEqual(tags);
  });

  it.each([
    '',
    ',',
    ' , ,',
    ',*',
    '7',
    '"7',
    '7"',
    'w/"7"',
    '"a" "b"',
    '*, "7"',
    '"7", *',
    '"a b"',
  ])('%s is refused', (text) => {
    expect(() => parseEntityTags('If-Match', text)).toThrow(
      expect.objectContaining({ code: 'INVALID_HEADER' }),
    );
  });

  it.each([
    ['*', 7, true, true],
    ['*', null, false, false],
    ['"7"', 7, true, true],
    ['"6", "7"', 7, true, true],
    ['W/"7"', 7, false, true],
    ['"07"', 7, false, false],
    ['"7"', null, false, false],
  ])('%s against version %s: strong %s, weak %s', (text, version, strong, weak) => {
    const tags = parseEntityTags('If-Match', text);
    expect(matchesStrongly(tags, version)).toBe(strong);
    expect(matchesWeakly(tags, version)).toBe(weak);
  });
});
