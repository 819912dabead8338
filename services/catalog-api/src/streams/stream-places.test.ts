import { describe, expect, it } from 'vitest';
import { StreamPlaces } from './stream-places.ts';
import { takesGzip } from './streamed-answer.ts';

describe('places of streams', () => {
  it('are bounded, half of them for one caller, and given back once', () => {
    const places = new StreamPlaces({ maxImports: 3, maxExports: 1 });
    const first = places.take('import', 'a');
    places.take('import', 'a');
    expect(() => places.take('import', 'a')).toThrow(/You have 2 imports under way/);
    places.take('import', 'b');
    expect(() => places.take('import', 'c')).toThrow(/3 imports are under way/);
    places.take('export', 'a');
    first.leave();
    first.leave();
    expect(places.count('import')).toBe(2);
    places.take('import', 'c');
    expect(() => places.take('import', 'd')).toThrow(/3 imports/);
  });

  it('say what their streams keep', () => {
    const places = new StreamPlaces({ maxImports: 2, maxExports: 2 });
    const [a, b] = [places.take('import', undefined), places.take('export', undefined)];
    a.hold('read', 10);
    a.hold('made', 5);
    b.hold('made', 7);
    a.hold('read', 3);
    expect(places.bytes).toBe(15);
    a.leave();
    a.hold('read', 100);
    expect(places.bytes).toBe(7);
  });
});

it.each([
  [undefined, false],
  ['gzip', true],
  ['br, GZIP;q=0.5', true],
  ['gzip;q=0', false],
  ['gzip; q=0.0, *', false],
  ['*', true],
  ['identity', false],
])('Accept-Encoding %s takes gzip: %s', (header, expected) => {
  expect(takesGzip(header)).toBe(expected);
});
