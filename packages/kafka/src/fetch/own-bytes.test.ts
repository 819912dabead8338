import { expect, it } from 'vitest';
import { ownBytes } from './own-bytes.ts';

const answer = Buffer.allocUnsafeSlow(1_000).fill('x');

it('copies what is a small part of an answer, so that it does not keep the whole', () => {
  const own = ownBytes(answer.subarray(100, 200));
  expect(own).toEqual(Buffer.alloc(100, 'x'));
  expect(own.buffer.byteLength).toBe(100);
  expect(ownBytes(Buffer.from('pooled')).buffer.byteLength).toBe(6);
});

it('leaves what is most of it as it is', () => {
  expect(ownBytes(answer.subarray(100)).buffer).toBe(answer.buffer);
  expect(ownBytes(Buffer.alloc(0))).toHaveLength(0);
});
