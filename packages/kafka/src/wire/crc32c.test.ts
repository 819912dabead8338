import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

it('gives the check values of RFC 3720 appendix B.4', () => {
  expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff), 0, 32)).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
});

it('agrees with the bit-by-bit definition for any bytes and any range of them', () => {
  const slow = (bytes: Buffer) => {
    let crc = -1;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    return ~crc >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (array, skip) => {
      const bytes = Buffer.from(array);
      const from = Math.min(skip, bytes.length);
      expect(crc32c(bytes, from, bytes.length)).toBe(slow(bytes.subarray(from)));
    }),
  );
});
