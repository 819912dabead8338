import { connect, createServer, type Server, type Socket } from 'node:net';

/** A process behind the address. */
export interface Backend {
  readonly name: string;
  readonly port: number;
  /** What its readiness said last. */
  readonly isReady: boolean;
}

/**
 * The backends to try for the next connection, in order: those that are ready, in turn. Empty if none is: then a connection is refused, for one that is red has said that it wants none.
 * @param turn counts connections.
 */
export function backendsInTurn(backends: readonly Backend[], turn: number): readonly Backend[] {
  const ready = backends.filter(({ isReady }) => isReady);
  const first = ready.length === 0 ? 0 : turn % ready.length;
  return [...ready.slice(first), ...ready.slice(0, first)];
}

/** What a look at a readiness gave: 200, anything else (also a connection that was refused), or nothing in time. */
export type Look = 'green' | 'red' | 'silent';

/** How often in a row a process may be silent before that counts as red: one that is busy is not one that stops. */
const silencesAllowed = 2;

/** Whether a backend is ready, from the looks at it, the last one last. It is not before the first green, and red counts at once. */
export function isReadyAfter(looks: readonly Look[]): boolean {
  const spoken = looks.findLastIndex((look) => look !== 'silent');
  return looks[spoken] === 'green' && looks.length - 1 - spoken <= silencesAllowed;
}

/**
 * One address for several processes, as a balancer of layer 4 is: round robin for each connection, bytes unread. A backend that is not ready gets no new connection, and those that it has go on until
 * one of their sides ends them.
 */
export class Balancer {
  /** Connections that no backend took. */
  refused = 0;
  readonly #server: Server;
  #backends: readonly Backend[] = [];
  #turn = 0;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#forward(client, backendsInTurn(this.#backends, (this.#turn += 1))),
    );
  }

  set backends(backends: readonly Backend[]) {
    this.#backends = backends;
  }

  /** Listens on a free port of loopback. @returns the port. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', 4_096, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
      });
    });
  }

  #forward(client: Socket, [backend, ...others]: readonly Backend[]): void {
    if (backend === undefined) {
      this.refused += 1;
      client.destroy();
      return;
    }
    const upstream = connect({ port: backend.port, host: '127.0.0.1', allowHalfOpen: true });
    upstream.setNoDelay(true);
    const giveUp = () => {
      upstream.destroy();
      client.destroy();
    };
    // Nothing was sent yet, so another one can have it.
    const tryNext = () => {
      client.off('error', giveUp);
      this.#forward(client, others);
    };
    upstream.once('error', tryNext);
    client.on('error', giveUp);
    upstream.once('connect', () => {
      upstream.off('error', tryNext);
      upstream.on('error', giveUp);
      client.pipe(upstream);
      upstream.pipe(client);
      client.once('close', () => upstream.destroySoon());
      upstream.once('close', () => client.destroySoon());
    });
  }
}
