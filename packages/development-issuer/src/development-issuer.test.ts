import { mkdtemp, readdir, readFile, rm, stat, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { developmentIssuer, DevelopmentIssuer } from './development-issuer.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'outbound-issuer-')), 'issuer');
});
afterEach(async () => rm(join(folder, '..'), { recursive: true }));

const modeOf = async (name: string) => (await stat(join(folder, name))).mode & 0o777;

it('makes its keys at first use, the private one for its owner alone, and uses them again', async () => {
  await DevelopmentIssuer.open(folder);
  expect([await modeOf('private.jwk'), await modeOf('jwks.json')]).toEqual([0o600, 0o644]);
  const first = await readFile(join(folder, 'private.jwk'), 'utf8');
  await chmod(join(folder, 'private.jwk'), 0o644);
  await DevelopmentIssuer.open(folder);
  expect(await readFile(join(folder, 'private.jwk'), 'utf8')).toBe(first);
  expect(await modeOf('private.jwk')).toBe(0o600);
});

it('publishes the public half alone', async () => {
  const { jwksPath } = await DevelopmentIssuer.open(folder);
  const { keys } = JSON.parse(await readFile(jwksPath, 'utf8')) as JSONWebKeySet;
  expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});

it('is one issuer for several who begin at once', async () => {
  const issuers = await Promise.all([1, 2, 3, 4].map(() => DevelopmentIssuer.open(folder)));
  const jwks = JSON.parse(await readFile(join(folder, 'jwks.json'), 'utf8')) as JSONWebKeySet;
  for (const issuer of issuers)
    await jwtVerify(await issuer.token(), createLocalJWKSet(jwks), { issuer: developmentIssuer });
  expect((await readdir(folder)).sort()).toEqual(['jwks.json', 'private.jwk']);
});

it('signs what it is asked to', async () => {
  const issuer = await DevelopmentIssuer.open(folder);
  const jwks = JSON.parse(await readFile(issuer.jwksPath, 'utf8')) as JSONWebKeySet;
  const token = await issuer.token({ subject: 'shop', scopes: ['a', 'b'], lifetimeSeconds: 60 });
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), { audience: 'catalog-api' });
  expect(payload).toMatchObject({ sub: 'shop', scope: 'a b' });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
});
