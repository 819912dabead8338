import { describe, expect, it } from 'vitest';
import { runSeed, seededRandom } from '../../../../test/support/random.ts';
import { KeyIndex } from './key-index.ts';

describe('an index of keys', () => {
  it('says of every key what a Map would, over growth, removal and all kinds of keys', () => {
    const random = seededRandom(runSeed('key-index'));
    const index = new KeyIndex();
    const model = new Map<string, { address: number; version: number | undefined }>();
    const keyOf = (n: number) =>
      ['k', '', 'ä😀', '\0', 'x'.repeat(n % 700)][n % 5] + String(n >> 3);
    for (let step = 0; step < 20_000; step += 1) {
      const key = keyOf(Math.floor(random() * 6000));
      const line = {
        address: Math.floor(random() * 2 ** 45),
        version: random() < 0.2 ? undefined : Math.floor((random() - 0.5) * 2 ** 53),
      };
      expect(index.get(key)).toEqual(model.get(key));
      if (random() < (step < 12_000 ? 0.2 : 0.8)) {
        index.remove(key);
        model.delete(key);
      } else {
        index.set(key, line);
        model.set(key, line);
      }
      if (random() < 0.0001) {
        index.clear();
        model.clear();
      }
    }
    expect(index.size).toBe(model.size);
    for (let n = 0; n < 6000; n += 1) expect(index.get(keyOf(n))).toEqual(model.get(keyOf(n)));
  });

  it('finds a key where it is and nowhere else, and follows it', () => {
    const index = new KeyIndex();
    index.set('ä', { address: 7, version: 1 });
    expect(index.entryAt(Buffer.from('ä'), 8)).toBe(-1);
    expect(index.entryAt(Buffer.from('a'), 7)).toBe(-1);
    index.move(index.entryAt(Buffer.from('ä'), 7), 9);
    expect(index.get('ä')).toEqual({ address: 9, version: 1 });
    index.remove('ä');
    expect(index.entryAt(Buffer.from('ä'), 9)).toBe(-1);
    expect(index.size).toBe(0);
  });
});
