import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyBytes, keyText } from './key-text.ts';

describe('keyText', () => {
  it('leaves text alone', () => {
    expect(keyText(Buffer.from('ä 019f'))).toBe('ä 019f');
    expect(keyText(Buffer.alloc(0))).toBe('');
  });

  it('keeps apart what is no text, and what only looks like its form', () => {
    const keys = ['fffe0001', 'ffff0001', '00', '5c78666666653030', 'efbfbd'].map((hex) =>
      Buffer.from(hex, 'hex'),
    );
    expect(new Set(keys.map(keyText)).size).toBe(keys.length);
    expect(keyText(Buffer.from('fffe0001', 'hex'))).toBe('\\xfffe0001');
  });

  it('gives the bytes back, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(keyBytes(keyText(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });
});
