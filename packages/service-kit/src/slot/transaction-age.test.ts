import { expect, it } from 'vitest';
import { healthySlot } from './test-support/healthy-slot.ts';
import { TransactionAge } from './transaction-age.ts';

const open = (xid: string, seconds?: number) =>
  healthySlot({ oldest: { pid: 7, application: '', gid: undefined, xid, seconds } });

it('of a transaction is since it was seen first, where the server does not tell it', () => {
  const age = new TransactionAge();
  const seconds = (atMs: number, ...of: Parameters<typeof open>) =>
    age.withAge(atMs, open(...of)).oldest?.seconds;
  expect(seconds(1000, '801')).toBe(0);
  expect(seconds(91_000, '801')).toBe(90);
  expect(seconds(92_000, '801', 500)).toBe(500);
  // The same session, and another transaction.
  expect(seconds(93_000, '802')).toBe(0);
  expect(age.withAge(94_000, healthySlot()).oldest).toBe(undefined);
  expect(seconds(95_000, '802')).toBe(0);
});
