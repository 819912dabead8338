import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Many connections to one port that hold on and say nothing, or a byte now and then. */
export class RawSockets implements Disposable {
  readonly #sockets: Socket[] = [];
  #closed = 0;

  /** How many of them the other side has ended. */
  get closed(): number {
    return this.#closed;
  }

  get opened(): number {
    return this.#sockets.length;
  }

  /** Resolves when so many are connected, or were refused. */
  static async open(port: number, count: number): Promise<RawSockets> {
    const sockets = new RawSockets();
    await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.on('close', () => (sockets.#closed += 1));
        socket.resume();
        sockets.#sockets.push(socket);
        await Promise.race([once(socket, 'connect'), once(socket, 'close'), delay(5000)]);
      }),
    );
    return sockets;
  }

  /** On each that is open. */
  write(text: string): void {
    for (const socket of this.#sockets) if (socket.writable) socket.write(text);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
