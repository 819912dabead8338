import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** `up`: from client to server. `down`: from server to client. */
export type Direction = 'up' | 'down';

/**
 * What the proxy does with bytes, from now on and on connections that are open.
 * - `latency`: each chunk waits; order is kept and throughput is not reduced.
 * - `cut`: open connections are reset, new ones too.
 * - `blackhole`: bytes vanish, in one direction or both; the connections stay open and new ones are accepted (a half-open peer).
 *   When it ends, a connection that has lost bytes stays silent in that direction: TCP never delivers what comes behind a hole.
 * - `stall`: bytes are not read, so TCP itself holds the sender back; nothing is lost when it ends.
 * - `throttle`: that many bytes a second and direction.
 * - `drop-response`: requests reach the server and its answers vanish; the connection then stays silent or is reset at the first lost answer.
 * - `slice`: written in pieces of that many bytes, each its own write.
 * - `corrupt`: one bit of the byte at that distance from now is flipped, once.
 */
export type Fault =
  | { readonly mode: 'pass' }
  | { readonly mode: 'latency'; readonly ms: number }
  | { readonly mode: 'cut' }
  | { readonly mode: 'blackhole'; readonly direction?: Direction }
  | { readonly mode: 'stall'; readonly direction?: Direction }
  | { readonly mode: 'throttle'; readonly bytesPerSecond: number }
  | { readonly mode: 'drop-response'; readonly then: 'silence' | 'reset' }
  | { readonly mode: 'slice'; readonly bytes: number }
  | { readonly mode: 'corrupt'; readonly direction: Direction; readonly offset: number };

/** What happened since the proxy started. */
export interface FaultCounts {
  connections: number;
  /** Bytes that arrived at the proxy. */
  readonly received: Record<Direction, number>;
  /** Bytes that it passed on. */
  readonly forwarded: Record<Direction, number>;
  /** Bytes that a fault swallowed. */
  readonly dropped: Record<Direction, number>;
  /** Waits that a fault imposed. */
  waits: number;
  slices: number;
  resets: number;
  corrupted: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly counts: Readonly<FaultCounts>;
  /** Every change with its time, for the report of a failed test. */
  readonly history: readonly string[];
  set(fault: Fault): void;
  /** Back to `pass`. @throws Error when the fault that ends here has hit nothing, so that a test cannot pass without its fault. */
  heal(): void;
  close(): Promise<void>;
}

/** A TCP proxy on 127.0.0.1 that passes bytes on until it is told otherwise. */
export async function startFaultProxy(target: {
  host?: string;
  port: number;
}): Promise<FaultProxy> {
  const counts: FaultCounts = {
    connections: 0,
    received: { up: 0, down: 0 },
    forwarded: { up: 0, down: 0 },
    dropped: { up: 0, down: 0 },
    waits: 0,
    slices: 0,
    resets: 0,
    corrupted: 0,
  };
  const history: string[] = [];
  const pairs = new Set<readonly [Socket, Socket]>();
  let fault: Fault = { mode: 'pass' };
  let bitesBefore = 0;
  let release = new AbortController();
  let distance: Record<Direction, number> = { up: 0, down: 0 };

  const bites = (): number =>
    counts.dropped.up +
    counts.dropped.down +
    counts.waits +
    counts.slices +
    counts.resets +
    counts.corrupted;
  const reset = (pair: readonly [Socket, Socket]): void => {
    if (!pairs.delete(pair)) return;
    counts.resets += 1;
    for (const socket of pair) socket.resetAndDestroy();
  };
  /** Resolves after the time, or at once when the fault changes. */
  const pause = async (ms: number): Promise<void> => {
    counts.waits += 1;
    await delay(ms, undefined, { signal: release.signal }).catch(() => undefined);
  };
  const applies = (to: { readonly direction?: Direction }, direction: Direction): boolean =>
    to.direction === undefined || to.direction === direction;

  /** Whether the chunk goes on. Read anew for each chunk, and after each wait. */
  const passes = async (chunk: Buffer, direction: Direction): Promise<boolean> => {
    for (;;) {
      const now = fault;
      if (now.mode === 'blackhole') return !applies(now, direction);
      if (now.mode === 'drop-response') return direction === 'up';
      if (now.mode === 'stall' && applies(now, direction)) await pause(2 ** 30);
      else if (now.mode === 'throttle') {
        await pause((chunk.length * 1000) / now.bytesPerSecond);
        return true;
      } else return true;
    }
  };

  const corrupt = (chunk: Buffer, direction: Direction): Buffer => {
    const at = distance[direction];
    distance[direction] += chunk.length;
    if (fault.mode !== 'corrupt' || fault.direction !== direction) return chunk;
    const index = fault.offset - at;
    if (index < 0 || index >= chunk.length) return chunk;
    const copy = Buffer.from(chunk);
    copy.writeUInt8(copy.readUInt8(index) ^ 1, index);
    counts.corrupted += 1;
    return copy;
  };

  const write = async (to: Socket, chunk: Buffer): Promise<void> => {
    const step = fault.mode === 'slice' ? fault.bytes : chunk.length;
    for (let at = 0; at < chunk.length; at += step) {
      const piece = chunk.subarray(at, at + step);
      if (step < chunk.length) counts.slices += 1;
      // Each piece is its own segment only if the one before is out.
      await new Promise<void>((resolve) => to.write(piece, () => resolve()));
    }
  };

  const pump = async (direction: Direction, pair: readonly [Socket, Socket]): Promise<void> => {
    const [client, server] = pair;
    const [from, to] = direction === 'up' ? [client, server] : [server, client];
    let last: Promise<void> = Promise.resolve();
    let hasHole = false;
    for await (const chunk of from as AsyncIterable<Buffer>) {
      counts.received[direction] += chunk.length;
      const due = fault.mode === 'latency' ? pause(fault.ms) : undefined;
      const before = last;
      const send = async (): Promise<void> => {
        await before;
        await due;
        if (!hasHole && (await passes(chunk, direction))) {
          await write(to, corrupt(chunk, direction));
          counts.forwarded[direction] += chunk.length;
        } else {
          hasHole = true;
          counts.dropped[direction] += chunk.length;
          if (fault.mode === 'drop-response' && fault.then === 'reset') reset(pair);
        }
      };
      last = send();
      // Chunks that only wait may pile up; those that are held back must not be read.
      if (!due) await last;
    }
    await last;
    to.end();
  };

  const proxy = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({
      host: target.host ?? '127.0.0.1',
      port: target.port,
      allowHalfOpen: true,
    });
    const pair = [client, server] as const;
    counts.connections += 1;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => {
        if (pairs.delete(pair)) for (const end of pair) end.resetAndDestroy();
      });
    }
    if (fault.mode === 'cut') {
      reset(pair);
      return;
    }
    Promise.all([pump('up', pair), pump('down', pair)])
      .catch(() => undefined)
      .finally(() => {
        if (pairs.delete(pair)) for (const end of pair) end.destroy();
      })
      .catch(() => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    proxy.once('error', reject);
    proxy.listen(0, '127.0.0.1', resolve);
  });
  const { port } = proxy.address() as AddressInfo;

  const set = (next: Fault): void => {
    fault = next;
    bitesBefore = bites();
    distance = { up: 0, down: 0 };
    history.push(`${new Date().toISOString()} ${JSON.stringify(next)} ${JSON.stringify(counts)}`);
    release.abort();
    release = new AbortController();
    if (next.mode === 'cut') for (const pair of [...pairs]) reset(pair);
  };
  const close = async (): Promise<void> => {
    release.abort();
    for (const pair of [...pairs]) for (const socket of pair) socket.destroy();
    pairs.clear();
    if (proxy.listening) await new Promise<void>((resolve) => proxy.close(() => resolve()));
  };
  return {
    host: '127.0.0.1',
    port,
    counts,
    history,
    set,
    heal: () => {
      const { mode } = fault;
      const bit = bites() > bitesBefore;
      const fired = mode === 'pass' || bit;
      set({ mode: 'pass' });
      if (!fired) throw new Error(`the fault ${mode} hit nothing: no byte met it`);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
