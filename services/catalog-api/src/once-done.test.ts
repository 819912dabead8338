import { expect, test } from 'vitest';
import { onceDone } from './once-done.ts';

test('what has to be done once is begun by the first question, anew after a failure, and never again', async () => {
  const begun: { done: () => void; failed: (error: Error) => void }[] = [];
  const check = onceDone(
    () => new Promise<void>((done, failed) => void begun.push({ done, failed })),
  );
  const first = [check(), check()];
  begun[0]?.failed(new Error('not there'));
  for (const answer of first) await expect(answer).rejects.toThrow('not there');
  const second = check();
  begun[1]?.done();
  expect(await second).toEqual({ ok: true });
  expect(await check()).toEqual({ ok: true });
  expect(begun).toHaveLength(2);
});
