import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SchemaRegistry } from './registry-client.ts';

interface Answering extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

/** Answers everything alike; what a real registry says is shown in test/schema-registry.system.test.ts. */
async function answering(status: number, body: string): Promise<Answering> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume().on('end', () => response.writeHead(status).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://user:p%40ss@127.0.0.1:${port}/api/`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('the client of a schema registry', () => {
  it('sends user and password of the URL as basic authentication, and never in a message', async () => {
    await using server = await answering(401, '{"error_code":401,"message":"no"}');
    const registry = new SchemaRegistry({ url: server.url });
    const error = await registry.byId(1).catch((thrown: unknown) => thrown);
    expect(server.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    );
    expect(server.requests[0]?.url).toBe('/api/schemas/ids/1');
    expect(error).toMatchObject({ name: 'RegistryError', status: 401 });
    expect(String(error)).toContain('answered 401');
    expect(String(error)).not.toMatch(/p@ss|p%40ss|user/);
  });

  it('takes an answer that is none for a wrong address', async () => {
    await using server = await answering(200, '<html>hello</html>');
    await expect(new SchemaRegistry({ url: server.url }).register('a', {})).rejects.toThrow(
      'is this the Confluent-compatible address',
    );
  });

  it('takes a subject that is not there for one that takes anything', async () => {
    await using server = await answering(404, '{}');
    const verdict = await new SchemaRegistry({ url: server.url }).check('a b', {});
    expect(verdict).toEqual({ isCompatible: true, messages: [] });
    expect(server.requests[0]?.url).toContain('/subjects/a%20b/versions');
  });

  it('says that nothing answers, and where', async () => {
    const server = await answering(200, '');
    await server[Symbol.asyncDispose]();
    await expect(new SchemaRegistry({ url: server.url }).latest('a')).rejects.toThrow(
      /does not answer to GET http:\/\/127\.0\.0\.1:\d+\/api\/subjects\/a\/versions\/latest/,
    );
  });
});
