import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outbound } from '../test-support/outbound.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbound-token-'));
});
afterAll(async () => rm(folder, { recursive: true }));

const payloadOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;

test('a token is alone on standard output, and its keys are made for their owner alone', async () => {
  const { code, out, err } = await outbound(['token', '--issuer', folder]);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(payloadOf(out)).toMatchObject({
    iss: 'urn:outbound:development',
    sub: 'developer',
    scope: expect.stringContaining('catalog.product.write') as string,
  });
  expect((await stat(join(folder, 'private.jwk'))).mode & 0o777).toBe(0o600);
});

test('it says what it is asked to say', async () => {
  const { out } = await outbound(
    ['token', '--json', '--subject', 's', '--scope', 'a', '--scope', 'b', '--lifetime', '60'],
    { env: { OUTBOUND_ISSUER_DIRECTORY: folder } },
  );
  const answer = JSON.parse(out) as { token: string };
  expect(answer).toMatchObject({ subject: 's', scopes: ['a', 'b'], expires_in: 60 });
  expect(payloadOf(answer.token)).toMatchObject({ sub: 's', scope: 'a b' });
});

test('without an issuer, or with a scope or a lifetime that is none, there is no token', async () => {
  const { code, err } = await outbound(['token']);
  expect([code, err]).toEqual([2, expect.stringContaining('--issuer')]);
  for (const wrong of [
    ['--scope', 'a b'],
    ['--lifetime', '0'],
    ['--lifetime', '86401'],
  ])
    expect((await outbound(['token', '--issuer', folder, ...wrong])).code).toBe(2);
});
