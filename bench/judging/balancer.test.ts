import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { backendsInTurn, Balancer, isReadyAfter, type Backend } from './balancer.ts';

const backend = (name: string, isReady = true, port = 0): Backend => ({ name, port, isReady });
const names = (backends: readonly Backend[]) => backends.map(({ name }) => name);
const open: { close(): void }[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

test('connections go round, and the others are tried after the one whose turn it is', () => {
  const backends = [backend('a'), backend('b')];
  expect([0, 1, 2].map((turn) => names(backendsInTurn(backends, turn)))).toEqual([
    ['a', 'b'],
    ['b', 'a'],
    ['a', 'b'],
  ]);
});

test('one that is not ready gets none, and if none is ready nobody does', () => {
  expect(names(backendsInTurn([backend('a', false), backend('b')], 0))).toEqual(['b']);
  expect(backendsInTurn([backend('a', false)], 0)).toEqual([]);
  expect(backendsInTurn([], 3)).toEqual([]);
});

test('red counts at once, silence only the third time in a row', () => {
  expect(isReadyAfter([])).toBe(false);
  expect(isReadyAfter(['red', 'green'])).toBe(true);
  expect(isReadyAfter(['green', 'red'])).toBe(false);
  expect(isReadyAfter(['green', 'silent', 'silent'])).toBe(true);
  expect(isReadyAfter(['green', 'silent', 'silent', 'silent'])).toBe(false);
});

async function echo(name: string): Promise<Backend> {
  const server = createServer((socket) => socket.end(name)).listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  const address = server.address();
  return backend(name, true, typeof address === 'object' ? address?.port : 0);
}

test('a connection reaches a backend whole, and one that takes no connection is passed over', async () => {
  const alive = await echo('alive');
  const gone = await echo('gone');
  open.pop()?.close();
  const balancer = new Balancer();
  const port = await balancer.listen();
  balancer.backends = [alive, gone];
  for (let connection = 0; connection < 4; connection += 1)
    expect(await text(connect(port, '127.0.0.1'))).toBe('alive');
  balancer.backends = [];
  const refused = connect(port, '127.0.0.1').resume();
  await once(refused, 'close');
  expect(balancer.refused).toBe(1);
});
