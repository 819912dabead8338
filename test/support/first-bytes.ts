import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

/** The first byte of a TLS connection: a record of the handshake. */
export const tlsHandshake = 0x16;

/** Listens, keeps the first byte of each connection and ends it: how a client begins, with a peer that lets nobody through. */
export class FirstBytes implements AsyncDisposable {
  readonly seen: number[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (chunk) => {
        this.seen.push(chunk[0] ?? 0);
        socket.destroy();
      });
    });
  }

  static async listen(): Promise<FirstBytes> {
    const listener = new FirstBytes();
    listener.#server.listen(0, '127.0.0.1');
    await once(listener.#server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
