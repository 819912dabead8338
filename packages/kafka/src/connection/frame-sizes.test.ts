import { expect, it } from 'vitest';
import { FrameSizes, guessOfSize } from './frame-sizes.ts';

const frames = (...sizes: readonly number[]) =>
  Buffer.concat(
    sizes.map((size) => {
      const frame = Buffer.alloc(4 + Math.max(size, 0));
      frame.writeInt32BE(size);
      return frame;
    }),
  );

it('passes frames that may be, wherever the stream is cut', () => {
  const bytes = frames(4, 10, 4);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const sizes = new FrameSizes();
    expect(sizes.take(bytes.subarray(0, cut), 10)).toBeUndefined();
    expect(sizes.take(bytes.subarray(cut), 10)).toBeUndefined();
  }
});

it('finds a size that none has, wherever the stream is cut', () => {
  const bytes = frames(4, 3);
  for (let cut = 0; cut <= 11; cut += 1) {
    const sizes = new FrameSizes();
    expect(sizes.take(bytes.subarray(0, cut), 10)).toBeUndefined();
    expect(sizes.take(bytes.subarray(cut), 10)).toBe(3);
  }
});

it('finds a size above the bound before its bytes have come', () => {
  expect(new FrameSizes().take(frames(11).subarray(0, 4), 10)).toBe(11);
});

it('knows HTTP and TLS by their first bytes', () => {
  expect(guessOfSize(Buffer.from('HTTP').readInt32BE())).toContain('speaks HTTP');
  expect(guessOfSize(0x15030300)).toContain('speaks TLS');
  expect(guessOfSize(0)).toContain('a port that speaks Kafka');
});
