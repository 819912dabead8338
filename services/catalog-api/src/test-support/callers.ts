import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send, type Reply } from './http-client.ts';
import { createKey, jwksOf, signToken, testAudience, testIssuer } from './test-issuer.ts';

/** A caller with a name: sends requests with a token of its own. */
export type Caller = (
  method: string,
  path: string,
  options?: {
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  },
) => Promise<Reply>;

/** An issuer, and how to be one of its callers. */
export interface TestCallers {
  /** Settings of a service that asks for this issuer's tokens. */
  readonly settings: Readonly<Record<string, string>>;
  /** A caller who may read and write products. */
  callerOf(name: string, url: string): Promise<Caller>;
  close(): Promise<void>;
}

export async function createCallers(): Promise<TestCallers> {
  const key = await createKey('key-1');
  const directory = await mkdtemp(join(tmpdir(), 'outbound-auth-'));
  const authJwksPath = join(directory, 'jwks.json');
  await writeFile(authJwksPath, jwksOf(key.jwk));
  return {
    settings: { auth: 'on', authIssuer: testIssuer, authAudience: testAudience, authJwksPath },
    callerOf: async (sub, url) => {
      const scope = 'catalog.product.read catalog.product.write';
      const authorization = `Bearer ${await signToken(key, { sub, scope })}`;
      return (method, path, { headers = {}, ...rest } = {}) =>
        send(url, method, path, {
          ...rest,
          headers: { authorization, ...headers },
        });
    },
    close: () => rm(directory, { recursive: true }),
  };
}
