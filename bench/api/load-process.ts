import { connect, type Socket } from 'node:net';

/** What the measuring process asks of the callers' process. */
export interface LoadOrder {
  readonly port: number;
  readonly kind: 'create' | 'get' | 'patch';
  readonly callers: number;
  /** Of all callers together. */
  readonly requests: number;
  /** Of the products that are read or patched; empty where products are created. */
  readonly ids: readonly string[];
  /** Goes into each SKU, so that no two runs make the same one. */
  readonly run: string;
}

/** What the callers saw. */
export interface LoadAnswer {
  readonly seconds: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Milliseconds of each answer that did what was asked, in order of size. */
  readonly durationsMs: readonly number[];
  /** Ids of what was created, the first thousand. */
  readonly ids: readonly string[];
}

interface Reply {
  readonly status: number;
  readonly head: string;
}

/**
 * One caller: a connection that has one request under way at a time. By hand over a socket, since a client library would use more of the machine than what it
 * measures.
 */
class Caller {
  readonly #socket: Socket;
  #received = '';
  #settle: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  private constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    // One byte is one character: lengths are counted in bytes.
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#settle?.reject(error));
    this.#socket.on('close', () => this.#settle?.reject(new Error('the connection was closed')));
  }

  static async open(port: number): Promise<Caller> {
    const caller = new Caller(port);
    await new Promise<void>((resolve, reject) => {
      caller.#socket.once('connect', resolve);
      caller.#socket.once('error', reject);
    });
    return caller;
  }

  ask(request: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#received += chunk;
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = this.#received.slice(0, headEnd);
    // The old path's answers have no body and say so in this way.
    const isEmptyChunked = /\r\ntransfer-encoding: chunked/i.test(head);
    const length = isEmptyChunked ? 5 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < headEnd + 4 + length) return;
    this.#received = this.#received.slice(headEnd + 4 + length);
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve({ status: Number(head.slice(9, 12)), head });
  }
}

const body = (method: string, path: string, text: string, headers = ''): string =>
  `${method} ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: ${method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'}\r\n${headers}content-length: ${text.length}\r\n\r\n${text}`;
const read = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`;
const header = (head: string, name: string): string =>
  new RegExp(`\\r\\n${name}: ([^\\r]+)`, 'i').exec(head)?.[1] ?? '';

async function runLoad(order: LoadOrder): Promise<LoadAnswer> {
  const { port, kind, callers, requests, ids, run } = order;
  const statuses: Record<string, number> = {};
  const durations: number[] = [];
  const created: string[] = [];
  const beganMs = performance.now();
  let left = requests;
  const counted = async (caller: Caller, request: string): Promise<Reply> => {
    const fromMs = performance.now();
    const reply = await caller.ask(request);
    statuses[reply.status] = (statuses[reply.status] ?? 0) + 1;
    if (reply.status < 300) durations.push(performance.now() - fromMs);
    return reply;
  };
  const work = {
    create: async (caller: Caller, name: string, turn: number) => {
      const text = `{"sku":"${run}-${name}-${turn}","name":"Product ${turn}","status":"ACTIVE","price":{"amount":${turn % 1_000}.95,"currency":"USD"},"attributes":{"carat":0.23,"cut":"Ideal","depth":61.5}}`;
      const { head } = await counted(caller, body('POST', '/products', text));
      if (created.length < 1_000) created.push(header(head, 'location').slice(-36));
    },
    get: async (caller: Caller, name: string, turn: number) => {
      const id = ids[(turn * callers + Number(name)) % ids.length] ?? '';
      await counted(caller, read(`/products/${id}`));
    },
    // Reads and changes what it has read, as the old path's callers do; who was overtaken reads again.
    patch: async (caller: Caller, name: string, turn: number) => {
      const id = ids[(turn * 7 + Number(name)) % ids.length] ?? '';
      const { head } = await caller.ask(read(`/products/${id}`));
      const condition = `if-match: ${header(head, 'etag')}\r\n`;
      const text = `{"price":{"amount":${(turn * 31 + Number(name)) % 9_973}.5,"currency":"USD"}}`;
      await counted(caller, body('PATCH', `/products/${id}`, text, condition));
    },
  }[kind];
  await Promise.all(
    Array.from({ length: callers }, async (_, index) => {
      const caller = await Caller.open(port);
      for (let turn = 0; left-- > 0; turn += 1) await work(caller, String(index), turn);
      caller.close();
    }),
  );
  return {
    seconds: (performance.now() - beganMs) / 1_000,
    statuses,
    durationsMs: durations.sort((a, b) => a - b),
    ids: created,
  };
}

process.on('message', (order: LoadOrder) => {
  runLoad(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
