import { describe, expect, it } from 'vitest';
import { crc32c, newSystemIdentifier, withSystemIdentifier } from './system-identifier.ts';

describe('the system identifier', () => {
  it('is replaced together with the checksum, wherever a version keeps that', () => {
    for (const length of [288, 296]) {
      const control = Buffer.alloc(8192);
      for (let at = 0; at < length; at++) control[at] = (at * 7) & 0xff;
      control.writeUInt32LE(crc32c(control.subarray(0, length)), length);
      const { bytes, replaced } = withSystemIdentifier(control, 42n);
      expect(bytes.readBigUInt64LE(0)).toBe(42n);
      expect(replaced).toBe(control.readBigUInt64LE(0));
      expect(bytes.readUInt32LE(length)).toBe(crc32c(bytes.subarray(0, length)));
      expect(bytes.subarray(8, length)).toEqual(control.subarray(8, length));
    }
  });

  it('is left alone in a file that is no control file', () => {
    expect(() => withSystemIdentifier(Buffer.alloc(8192, 1), 42n)).toThrow('no checksum that fits');
  });

  it('fits a positive int8', () => {
    for (let run = 0; run < 1000; run++) expect(newSystemIdentifier()).toBeLessThan(2n ** 63n);
  });

  it('is checked with the Castagnoli polynomial', () => {
    // The check value of the CRC catalogue for "123456789".
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });
});
