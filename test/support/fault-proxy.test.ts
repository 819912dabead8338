import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';

let server: Server;
let proxy: FaultProxy;
/** What the server got, and in which pieces. */
let arrived: Buffer[];
let open: Socket[];

beforeEach(async () => {
  arrived = [];
  open = [];
  server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      arrived.push(chunk);
      socket.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy = await startFaultProxy({ port: (server.address() as AddressInfo).port });
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await proxy.close();
  server.close();
});

interface Client {
  readonly socket: Socket;
  readonly received: () => string;
  readonly closed: Promise<string>;
}

async function client(): Promise<Client> {
  const socket = connect({ port: proxy.port, host: proxy.host });
  socket.setNoDelay(true);
  open.push(socket);
  let received = '';
  let error = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.on('error', (cause: Error & { code?: string }) => (error = cause.code ?? cause.message));
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(error || 'end'));
  });
  // A proxy that cuts may be faster than the event.
  await Promise.race([closed, new Promise<void>((resolve) => socket.once('connect', resolve))]);
  return { socket, received: () => received, closed };
}

const text = (): string => Buffer.concat(arrived).toString();

describe('the fault proxy', () => {
  it('passes bytes in both directions and counts them', async () => {
    const { socket, received, closed } = await client();
    socket.write('hello');
    await eventually(() => received() === 'hello');
    expect(proxy.counts).toMatchObject({
      connections: 1,
      received: { up: 5, down: 5 },
      forwarded: { up: 5, down: 5 },
      dropped: { up: 0, down: 0 },
    });
    socket.end();
    expect(await closed).toBe('end');
    proxy.heal();
  });

  it('delays each way by the latency and keeps the order', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'latency', ms: 60 });
    const start = performance.now();
    const sent = Array.from({ length: 40 }, (_, index) => `${index};`);
    for (const [index, piece] of sent.entries()) {
      socket.write(piece);
      const soFar = sent.slice(0, index + 1).join('').length;
      await eventually(() => proxy.counts.received.up === soFar, { intervalMs: 1 });
    }
    await eventually(() => received() === sent.join(''), { intervalMs: 1 });
    const took = performance.now() - start;
    expect(took).toBeGreaterThanOrEqual(118);
    // 40 chunks that wait for each other would take 4.8 s.
    expect(took).toBeLessThan(3_000);
    proxy.heal();
  });

  it('resets open connections and new ones when it cuts', async () => {
    const first = await client();
    first.socket.write('x');
    await eventually(() => first.received() === 'x');
    proxy.set({ mode: 'cut' });
    expect(await first.closed).toBe('ECONNRESET');
    const second = await client();
    expect(await second.closed).toBe('ECONNRESET');
    proxy.heal();
    const third = await client();
    third.socket.write('y');
    await eventually(() => third.received() === 'y');
  });

  it('swallows both directions as a black hole, and passes nothing behind the hole when it ends, as TCP would not', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'blackhole' });
    socket.write('lost');
    await eventually(() => proxy.counts.dropped.up === 4);
    proxy.heal();
    socket.write('behind');
    await eventually(() => proxy.counts.dropped.up === 10);
    expect(socket.destroyed).toBe(false);
    expect(text()).toBe('');
    const next = await client();
    next.socket.write('kept');
    await eventually(() => next.received() === 'kept');
    expect(received()).toBe('');
  });

  it('goes on with a connection that lost nothing while others would have', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'blackhole' });
    proxy.set({ mode: 'pass' });
    socket.write('kept');
    await eventually(() => received() === 'kept');
  });

  it.each([
    ['up', '', { up: 3, down: 0 }],
    ['down', 'abc', { up: 0, down: 3 }],
  ] as const)(
    'swallows one direction only as a half-open peer (%s)',
    async (direction, seen, dropped) => {
      const { socket, received } = await client();
      proxy.set({ mode: 'blackhole', direction });
      socket.write('abc');
      await eventually(() => proxy.counts.dropped[direction] === 3);
      expect(text()).toBe(seen);
      expect(received()).toBe('');
      expect(proxy.counts.dropped).toEqual(dropped);
      proxy.heal();
    },
  );

  it('holds bytes back while it stalls and loses none', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'stall', direction: 'down' });
    socket.write('held');
    await eventually(() => proxy.counts.waits === 1);
    expect(text()).toBe('held');
    expect(received()).toBe('');
    proxy.heal();
    await eventually(() => received() === 'held');
  });

  it('stops reading while it stalls, so that the sender is held back', async () => {
    const { socket } = await client();
    proxy.set({ mode: 'stall', direction: 'up' });
    const megabyte = Buffer.alloc(1 << 20);
    const sent = Array.from({ length: 64 }, () => socket.write(megabyte));
    expect(sent).toContain(false);
    await eventually(() => proxy.counts.waits === 1);
    expect(proxy.counts.received.up).toBeLessThan(megabyte.length);
    proxy.heal();
    await eventually(() => proxy.counts.forwarded.up === 64 * megabyte.length);
  });

  it('throttles to the bytes per second', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'throttle', bytesPerSecond: 20_000 });
    const start = performance.now();
    socket.write(Buffer.alloc(2_000, 'x'));
    await eventually(() => received().length === 2_000, { intervalMs: 1 });
    // 0.1 s each way.
    expect(performance.now() - start).toBeGreaterThanOrEqual(198);
    proxy.heal();
  });

  it.each(['reset', 'silence'] as const)(
    'forwards the request and swallows the answer, then %s',
    async (then) => {
      const { socket, received, closed } = await client();
      proxy.set({ mode: 'drop-response', then });
      socket.write('request');
      await eventually(() => proxy.counts.dropped.down === 7);
      expect(text()).toBe('request');
      if (then === 'reset') expect(await closed).toBe('ECONNRESET');
      else expect(socket.closed).toBe(false);
      expect(received()).toBe('');
      proxy.heal();
    },
  );

  it('slices into writes of so many bytes, in order', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'slice', bytes: 1 });
    socket.write('sliced');
    await eventually(() => received() === 'sliced');
    expect(text()).toBe('sliced');
    expect(proxy.counts.slices).toBeGreaterThanOrEqual(6);
    proxy.heal();
  });

  it('flips one bit of one byte, wherever the chunks are cut', async () => {
    const { socket, received } = await client();
    proxy.set({ mode: 'corrupt', direction: 'up', offset: 4 });
    socket.write('aaa');
    await eventually(() => received() === 'aaa');
    socket.write('aaa');
    await eventually(() => received() === 'aaaa`a');
    expect(proxy.counts.corrupted).toBe(1);
    proxy.heal();
  });

  it('says so when a fault ends that has hit nothing', () => {
    proxy.set({ mode: 'blackhole' });
    expect(() => proxy.heal()).toThrow('the fault blackhole hit nothing');
    expect(proxy.history.map((line) => line.split(' ')[1])).toEqual([
      '{"mode":"blackhole"}',
      '{"mode":"pass"}',
    ]);
  });

  it('closes the connection to the client when the server cannot be reached', async () => {
    server.close();
    const { closed } = await client();
    expect(await closed).toBe('ECONNRESET');
  });
});
