import { expect, it } from 'vitest';
import type { Lsn } from '../wal/lsn.ts';
import { RefusedSizes } from './refused-sizes.ts';

const lsn = (value: number) => BigInt(value) as Lsn;
const at = (commit: number) => ({ commitLsn: lsn(commit), index: 0 });

it('holds for what was in the log when it was learnt, until the slot has passed it', () => {
  const sizes = new RefusedSizes();
  expect(sizes.isEmpty).toBe(true);
  sizes.refuse('t', 500);
  // Nobody has asked how far the log was written then.
  expect(sizes.from('t', at(10))).toBeUndefined();
  sizes.writtenUpTo(lsn(20));
  sizes.writtenUpTo(lsn(90));
  expect([10, 19, 20].map((commit) => sizes.from('t', at(commit)))).toEqual([500, 500, undefined]);
  expect(sizes.from('another', at(10))).toBeUndefined();
  sizes.confirmedUpTo(lsn(19));
  expect(sizes.from('t', at(19))).toBe(500);
  sizes.confirmedUpTo(lsn(20));
  expect(sizes.isEmpty).toBe(true);
});

it('is the smallest that was refused, and a new refusal holds for what came meanwhile', () => {
  const sizes = new RefusedSizes();
  sizes.refuse('t', 500);
  sizes.writtenUpTo(lsn(20));
  sizes.refuse('t', 700);
  sizes.confirmedUpTo(lsn(30));
  sizes.writtenUpTo(lsn(40));
  expect(sizes.from('t', at(30))).toBe(500);
  sizes.refuse('t', 400);
  sizes.writtenUpTo(lsn(50));
  expect(sizes.from('t', at(45))).toBe(400);
});
