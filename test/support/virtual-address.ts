import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address that stays while the server behind it changes, as a name in DNS or a floating IP does. */
export interface VirtualAddress extends AsyncDisposable {
  readonly port: number;
  /** From now on it leads there; connections to where it led before are reset. */
  moveTo(port: number): void;
}

/** Listens on a free port of 127.0.0.1 and leads to `port` there. */
export async function startVirtualAddress(port: number): Promise<VirtualAddress> {
  const sockets = new Set<Socket>();
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  let target = port;
  const server = createServer((client) => {
    const pair = [client, connect({ host: '127.0.0.1', port: target })] as const;
    const [, upstream] = pair;
    for (const socket of pair) {
      sockets.add(socket);
      socket.setNoDelay(true);
      // A server that is down refuses, and so does its address.
      socket.on('error', () => pair.forEach((each) => each.resetAndDestroy()));
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    moveTo: (next) => {
      target = next;
      reset();
    },
    async [Symbol.asyncDispose]() {
      reset();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
