import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EntityIndex } from './entity-index.ts';

const key = fc.oneof(fc.uuid(), fc.string(), fc.constantFrom('', 'A'.repeat(36)));

test('every key has one entry that gives back what was put in', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.maxSafeNat()), { maxLength: 3_000 }), (puts) => {
      const index = new EntityIndex();
      const expected = new Map<string, number>();
      for (const [text, version] of puts) {
        const entry = index.entryOf(text);
        index.setRecord(entry, {
          form: 'value',
          version,
          hash: { high: 0xffffffff, low: version % 7 },
        });
        index.setRow(entry, { form: 'deleted', version });
        expected.set(text, version);
      }
      expect(index.size).toBe(expected.size);
      for (const [text, version] of expected) {
        const entry = index.find(text) ?? -1;
        expect(index.recordOf(entry)).toEqual({
          form: 'value',
          version,
          hash: { high: 0xffffffff, low: version % 7 },
        });
        expect(index.rowOf(entry)).toEqual({ form: 'deleted', version });
        expect(index.keyOf(entry)).toBe(text);
      }
      expect(index.find('not there')).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});

test('an upper-case UUID is another key than the lower-case one, and no row can have it', () => {
  const index = new EntityIndex();
  const id = '019376e4-8c3a-7c7e-a1b2-0123456789ab';
  const lower = index.entryOf(id);
  const upper = index.entryOf(id.toUpperCase());
  expect(upper).not.toBe(lower);
  expect([index.isForeign(lower), index.isForeign(upper)]).toEqual([false, true]);
});

test('marks are found again, and setting one takes the one before away', () => {
  const index = new EntityIndex();
  const [a, b, c] = ['a', 'b', 'c'].map((text) => index.entryOf(text));
  for (const entry of [a, b, c]) index.mark(entry ?? -1, 'candidate');
  index.mark(b ?? -1, 'ghost');
  index.mark(c ?? -1, 'clear');
  expect([...index.marked('candidate')]).toEqual([a]);
  expect([...index.marked('ghost')]).toEqual([b]);
});

test('a million entities take less than 60 bytes each', () => {
  const index = new EntityIndex();
  for (let n = 0; n < 1_000_000; n += 1) {
    const hex = (n * 2_654_435_761).toString(16).padStart(14, '0');
    const id = `01937${hex.slice(0, 3)}-${hex.slice(3, 7)}-7${hex.slice(7, 10)}-a000-0000${n.toString(16).padStart(8, '0')}`;
    index.setRecord(index.entryOf(id), {
      form: 'value',
      version: n + 1,
      hash: { high: n, low: ~n >>> 0 },
    });
  }
  expect(index.size).toBe(1_000_000);
  expect(index.recordOf(999_999)).toMatchObject({ version: 1_000_000 });
  console.log(`entity index: ${(index.bytes / 1_000_000).toFixed(1)} bytes an entity at 1,000,000`);
  expect(index.bytes).toBeLessThan(60_000_000);
});
