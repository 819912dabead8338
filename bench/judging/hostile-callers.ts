import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { openLoop } from '../arrivals.ts';
import { ask, type Question } from './ask.ts';
import { outcomeOf } from './outcome-of.ts';
import type { Notes } from './told.ts';

/** What hostile callers have to do it with. */
export interface HostileMeans {
  readonly port: number;
  /** Of a caller of their own each: who reads slowly, who hammers, who asks what is expensive, and all others. */
  readonly tokens: {
    readonly slow: string;
    readonly hammer: string;
    readonly expensive: string;
    readonly other: string;
  };
  /** The row that is hammered. */
  readonly hotId: string;
  /** How many times the usual rates and connections. */
  readonly times: number;
  readonly notes: Notes;
  readonly signal: AbortSignal;
}

/** Requests a second of each kind, together (a pipeline has thirty) about as many as honest callers have: on two cores that they share with their victims more of them measure the processor alone. */
const rates = {
  'no token': 30,
  'no such page': 20,
  'bad JSON': 20,
  'too large': 2,
  'hot row': 40,
  'opened and left': 10,
  pipelined: 2,
  expensive: 2,
} as const;
const slowReaders = 20;
const slowWriters = 20;
const requestsInPipeline = 30;
const tooLarge = 'x'.repeat(300_000);
const expensive = [
  '/products?limit=1000&q=honest&sort=-updated_at',
  '/products?limit=1000&attribute=color:red&attribute=text:none&sort=-updated_at',
  '/products?limit=1000&price_min=1&price_max=1000&price_currency=EUR&brand=none',
  '/products?limit=1000&sort=-updated_at',
];

/** Everything that hostile callers do, all at once, until `signal`. What is done to rows is noted, to be judged like what honest callers do. */
export async function harass(means: HostileMeans): Promise<void> {
  const { port, tokens, hotId, times, notes, signal } = means;
  const agent = new Agent({ keepAlive: true, maxSockets: 128, maxTotalSockets: 256 });
  let tags = 0;
  const newTag = (what: string) => `hostile-${what.replaceAll(' ', '-')}-${(tags += 1)}`;
  /** A change that has to be refused, or not. */
  const change = async (tag: string, due: 'refused' | 'any', question: Question, id?: string) => {
    const { outcome, ...rest } = outcomeOf(await ask(agent, port, question), id);
    notes.status(rest.status);
    // A caller of this kind is also cut off while he sends, which says no more than that nobody answered.
    notes.writes.push({
      tag,
      due,
      ...rest,
      outcome: outcome === 'unanswered' && due === 'any' ? 'unknown' : outcome,
    });
  };
  const post = (tag: string) => JSON.stringify({ sku: tag, name: tag });
  const { other: token } = tokens;
  const flood = {
    'no token': () => {
      const tag = newTag('no token');
      return change(tag, 'refused', { method: 'POST', path: '/products', body: post(tag) });
    },
    'no such page': async () => {
      await ask(agent, port, { method: 'GET', path: '/products/of/nobody', token });
    },
    'bad JSON': () => {
      const tag = newTag('bad JSON');
      return change(tag, 'refused', {
        method: 'POST',
        path: '/products',
        token,
        body: `${post(tag)},`,
      });
    },
    'too large': () => {
      const tag = newTag('too large');
      const body = JSON.stringify({ sku: tag, name: tag, attributes: { text: tooLarge } });
      return change(tag, 'refused', { method: 'POST', path: '/products', token, body });
    },
    'hot row': () => {
      const tag = newTag('hot row');
      return change(
        tag,
        'any',
        {
          method: 'PATCH',
          path: `/products/${hotId}`,
          token: tokens.hammer,
          body: JSON.stringify({ name: tag }),
          headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
        },
        hotId,
      );
    },
    'opened and left': async () => {
      const tag = newTag('left');
      const body = post(tag);
      notes.writes.push({ tag, due: 'any', outcome: 'unknown', status: 0 });
      const socket = open(port);
      socket.write(head('POST', '/products', token, body.length) + body);
      await delay(2);
      socket.destroy();
    },
    pipelined: async () => {
      const socket = open(port);
      socket.resume();
      socket.write(head('GET', `/products/${hotId}`, token).repeat(requestsInPipeline));
      await delay(1_000);
      socket.destroy();
    },
    expensive: async () => {
      const path = expensive[(tags += 1) % expensive.length] ?? '';
      await ask(agent, port, { method: 'GET', path, token: tokens.expensive });
    },
  } satisfies Record<keyof typeof rates, () => Promise<void>>;
  const underWay = new Set<Promise<void>>();
  const loops = (Object.keys(rates) as (keyof typeof rates)[]).map((kind) =>
    openLoop({ count: Infinity, ratePerSecond: rates[kind] * times, signal }, () => {
      const work = flood[kind]().finally(() => underWay.delete(work));
      underWay.add(work);
    }),
  );
  await Promise.all([
    ...loops,
    ...Array.from({ length: Math.ceil(slowReaders * times) }, () =>
      readSlowly(port, tokens.slow, signal),
    ),
    ...Array.from({ length: Math.ceil(slowWriters * times) }, () =>
      writeSlowly(port, token, signal),
    ),
  ]);
  await Promise.all(underWay);
  agent.destroy();
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

function head(method: string, path: string, token: string, length?: number): string {
  const body =
    length === undefined ? '' : `content-type: application/json\r\ncontent-length: ${length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${token}\r\n${body}\r\n`;
}

/** Asks for large pages, one after the other on a connection, and reads nothing. */
async function readSlowly(port: number, token: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = open(port);
    socket.pause();
    socket.write(head('GET', '/products?limit=1000', token).repeat(20));
    await untilClosed(socket, 8_000, signal);
    socket.destroy();
  }
}

/** Sends a large body, a few bytes at a time. */
async function writeSlowly(port: number, token: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const socket = open(port);
    socket.resume();
    socket.write(head('POST', '/products/batch', token, 4_000_000));
    for (let sent = 0; sent < 100 && !socket.destroyed && !signal.aborted; sent += 1) {
      if (socket.writable) socket.write(' '.repeat(64));
      await delay(200);
    }
    socket.destroy();
  }
}

async function untilClosed(socket: Socket, ms: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + ms;
  while (!socket.destroyed && !signal.aborted && performance.now() < untilMs) await delay(100);
}
