import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { RawSockets } from '../../../test/support/raw-sockets.ts';
import { maxWaitingRequests } from './http/connection-turns.ts';
import { startCatalog, type TestCatalog } from './test-support/catalog-service.ts';
import { send } from './test-support/http-client.ts';

/* Callers who send too much at once, or too slowly: bounded, over in a while, and others are answered meanwhile. */

let catalog: TestCatalog;
let port: number;
beforeAll(async () => {
  catalog = await startCatalog({ requestTimeoutMs: '1500', maxConnections: '100' });
  ({ port } = catalog.service);
});
afterAll(() => catalog.close());

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const answersIn = (text: string) => text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0;

async function opened(): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return { socket, text: () => text };
}

describe('requests that are sent ahead', () => {
  it('are worked on one after the other, so that another caller is answered in their midst', async () => {
    const [flood, honest] = [await opened(), await opened()];
    flood.socket.write(request('/nothing').repeat(maxWaitingRequests));
    honest.socket.write(request('/nothing'));
    await once(honest.socket, 'data');
    expect(answersIn(flood.text())).toBeLessThan(maxWaitingRequests);
    await eventually(() => answersIn(flood.text()) === maxWaitingRequests);
  });

  it('are answered as far as they may wait, then the connection ends, and nothing of the rest is done', async () => {
    const flood = await opened();
    flood.socket.write(request('/event-types').repeat(600));
    await once(flood.socket, 'close');
    expect(answersIn(flood.text())).toBe(maxWaitingRequests + 1);
    expect(flood.text().match(/connection: close/gi)).toHaveLength(1);
    expect((await send(catalog.url, 'GET', '/event-types')).status).toBe(200);
  });
});

describe('callers who are slow', () => {
  it.each([
    ['headers', 'GET /products HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    [
      'a body',
      'POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    ],
  ])(
    'with %s, on half of all connections, a byte now and then, are ended in time; others are answered',
    async (_, head) => {
      using slow = await RawSockets.open(port, 50);
      slow.write(head);
      const drip = setInterval(() => slow.write('a'), 100);
      onTestFinished(() => clearInterval(drip));
      expect((await send(catalog.url, 'GET', '/products')).status).toBe(200);
      await eventually(() => slow.closed === slow.opened, { timeoutMs: 20_000 });
      expect((await send(catalog.url, 'GET', '/products')).status).toBe(200);
    },
  );

  it('with nothing at all, on more connections than there may be, are turned away beyond the bound, and there is room again when they are gone', async () => {
    using idle = await RawSockets.open(port, 150);
    await eventually(() => idle.closed >= 50);
    idle[Symbol.dispose]();
    await eventually(async () => (await send(catalog.url, 'GET', '/products')).status === 200);
  });
});
