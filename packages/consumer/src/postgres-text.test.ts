import { describe, expect, it } from 'vitest';
import { fromPostgresText, indexedText, toPostgresText } from './postgres-text.ts';

/** What a producer may write as a key or an id. */
const texts = [
  ...['', 'a', 'ключ', '🍞', '\\x00ff', '\\', '\\json', '\\json:', '\\json:"a"', '\\sha256:'],
  ...['\0', 'a\0b', '\ud800', 'a\udc00b', '\ufffd', '\udc00\ud800', '\n', 'x'.repeat(3000)],
];

describe('toPostgresText', () => {
  it.each(texts.map((text) => [JSON.stringify(text).slice(0, 20), text]))(
    'gives %s a form without what Postgres refuses or changes, and the way back',
    (_, text) => {
      const stored = toPostgresText(text);
      expect(stored).not.toContain('\0');
      expect(Buffer.from(stored).toString()).toBe(stored);
      expect(fromPostgresText(stored)).toBe(text);
    },
  );

  it('leaves texts of before as they are, and what an earlier release wrote', () => {
    for (const text of ['a', '\\x00ff', '\\json', '🍞']) expect(toPostgresText(text)).toBe(text);
    for (const text of ['\\json:', '\\json:a', '\\json:1'])
      expect(fromPostgresText(text)).toBe(text);
  });
});

describe('indexedText', () => {
  it('is short, the same for the same text, and another for another', () => {
    const long = [...texts, `${'x'.repeat(3000)}y`, 'ж'.repeat(600), `${'\0'.repeat(300)}a`];
    const digest = indexedText('x'.repeat(3000));
    const indexed = [...long, digest, `\\json:${JSON.stringify(digest)}`].map(indexedText);
    expect(new Set(indexed).size).toBe(long.length + 2);
    for (const each of indexed) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(1000);
    expect(indexedText('x'.repeat(3000))).toBe(digest);
    expect(indexedText('x'.repeat(1000))).toBe('x'.repeat(1000));
  });
});
