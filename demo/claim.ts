import { mkdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';

/** What the process that holds a data directory says about itself. */
export interface Holder {
  readonly pid: number;
  /** Base URL of the catalog API; absent while the stack still starts. */
  readonly api?: string;
  /** Kafka's `host:port`s, likewise. */
  readonly kafka?: readonly string[];
}

/** Holds a data directory for this process. */
export interface Claim {
  /** What others are told from now on. */
  describe(addresses: Omit<Holder, 'pid'>): void;
  release(): Promise<void>;
}

/** Another process holds the data directory. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError';
}

/**
 * Claims the directory, creating it if needed. A socket is the claim and not a file with a pid in it: the kernel takes it back with the process,
 * however that ends, so a crash leaves nothing to clean up by hand.
 * @throws AlreadyRunningError saying who holds it.
 */
export async function claim(dataDir: string): Promise<Claim> {
  await mkdir(dataDir, { recursive: true });
  const path = socketPath(dataDir);
  let holder: Holder = { pid: process.pid };
  const open = () => listen(path, () => JSON.stringify(holder));
  let server: Server;
  try {
    server = await open();
  } catch {
    const other = await holderOf(dataDir);
    if (other)
      throw new AlreadyRunningError(
        `a stack runs in ${dataDir} already (${holderText(other)}): use that one, or stop it with Ctrl-C in its terminal or kill ${other.pid}`,
      );
    // Left by a process that is gone.
    await rm(path, { force: true });
    server = await open();
  }
  server.unref();
  return {
    describe: (addresses) => void (holder = { ...addresses, pid: process.pid }),
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

/** The process that holds the directory; undefined if none does. @throws Error if it does not answer within 2 s. */
export async function holderOf(dataDir: string): Promise<Holder | undefined> {
  return new Promise((resolve, reject) => {
    const path = socketPath(dataDir);
    const socket = createConnection(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(2000, () => {
      socket.destroy();
      reject(
        new Error(`the process that listens on ${path} does not answer: end it, or wait for it`),
      );
    });
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('end', () => resolve(JSON.parse(text) as Holder));
    socket.on('error', () => resolve(undefined));
  });
}

/** For messages: `pid 4711, API http://127.0.0.1:8080`. */
export function holderText({ pid, api }: Holder): string {
  return `pid ${pid}${api === undefined ? '' : `, API ${api}`}`;
}

async function listen(path: string, describe: () => string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(describe());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** The shorter of the two ways to write it: the path of a socket has about 100 bytes at the most. */
function socketPath(dataDir: string): string {
  const path = join(dataDir, 'running.sock');
  const near = relative(process.cwd(), path);
  return near.length < path.length ? near : path;
}
