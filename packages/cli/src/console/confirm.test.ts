import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { confirm } from './confirm.ts';

const ask = (answer: string | undefined, { yes = false, isTTY = true } = {}) => {
  const input = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.ReadStream;
  // What a terminal is to readline: it then reads Ctrl-C and Ctrl-D as keys.
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const stop = new AbortController();
  const asked = confirm('Delete all?', { yes, input, output, signal: stop.signal });
  if (answer === undefined) stop.abort();
  else (input as unknown as PassThrough).write(`${answer}\n`);
  return asked;
};

test('goes on with a typed yes, or --yes', async () => {
  await ask('yes');
  await ask('no', { yes: true });
});

test('does nothing at any other answer, with exit code 4', async () => {
  for (const answer of ['y', 'no', ''])
    await expect(ask(answer)).rejects.toMatchObject({ code: 'NOT_CONFIRMED', exitCode: 4 });
});

test('asks nobody where there is no terminal, and names --yes', async () => {
  await expect(ask('yes', { isTTY: false })).rejects.toThrow('say --yes');
});

test('Ctrl-C at the question ends with 130, whether the process or the terminal hears of it', async () => {
  const interrupted = { code: 'INTERRUPTED', exitCode: 130 };
  await expect(ask(undefined)).rejects.toMatchObject(interrupted);
  await expect(ask('\u0003')).rejects.toMatchObject(interrupted);
});

test('an input that ends without an answer is no yes', async () => {
  await expect(ask('\u0004')).rejects.toMatchObject({ code: 'NOT_CONFIRMED', exitCode: 4 });
});
