import { Agent } from 'node:http';
import { seededRandom } from '../../test/support/random.ts';
import { openLoop } from '../arrivals.ts';
import { ask, type Question, type Reply } from './ask.ts';
import type { Write } from './judge-answers.ts';
import { outcomeOf, outcomesOf, statesIn } from './outcome-of.ts';
import type { Notes } from './told.ts';

/** A product that one change at a time is made to; one whose last change is unknown is left alone. */
interface Product {
  readonly id: string;
  version: number;
  isBusy: boolean;
}

const kinds = ['read', 'patch', 'create', 'list', 'batch'] as const;
type Kind = (typeof kinds)[number];
/** Share of each kind, in hundredths. */
const shares: Readonly<Record<Kind, number>> = {
  read: 50,
  patch: 20,
  create: 15,
  list: 10,
  batch: 5,
};
const itemsPerBatch = 10;
/** Of the changes, those that have to be refused: a stale precondition, a sku that is taken. */
const wrongShare = 0.1;
/** Of all requests, those after which the caller closes his connection, so that a process that came back gets its part of them. */
const closingShare = 0.02;

/** The kind of request at this point of the scale from 0 to 1. */
export function kindAt(point: number): Kind {
  let left = point * 100;
  for (const kind of kinds) {
    left -= shares[kind];
    if (left < 0) return kind;
  }
  return 'read';
}

/**
 * Honest callers, each with a principal of his own: a mixed load at a fixed rate, whatever became of the earlier requests. A request's time begins when it was due. They send no
 * Idempotency-Key and repeat nothing, so that each answer stands for itself.
 */
export class HonestCallers {
  readonly #agent = new Agent({ keepAlive: true, scheduling: 'fifo', maxSockets: 256 });
  readonly #port: number;
  readonly #tokens: readonly string[];
  readonly #notes: Notes;
  readonly #random: () => number;
  readonly #products: Product[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #tag = 0;

  constructor({
    port,
    tokens,
    seed,
    notes,
  }: {
    port: number;
    tokens: readonly string[];
    seed: number;
    notes: Notes;
  }) {
    this.#port = port;
    this.#tokens = tokens;
    this.#notes = notes;
    this.#random = seededRandom(seed);
  }

  /** Makes the products that are there from the beginning, every tenth of 16 KB, so that a page is as large as a page may be. @returns their ids. */
  async prepare(count: number): Promise<readonly string[]> {
    for (let made = 0; made < count; made += 100) await this.#batch(100, made);
    return this.#products.map(({ id }) => id);
  }

  /** Calls at the rate until `signal`, then waits for the last answers. */
  async run(ratePerSecond: number, signal: AbortSignal): Promise<void> {
    const beganMs = performance.now();
    await openLoop({ count: Infinity, ratePerSecond, signal }, (event) => {
      const dueMs = beganMs + (event * 1_000) / ratePerSecond;
      const work = this.#one(kindAt(this.#random()), dueMs).finally(() =>
        this.#underWay.delete(work),
      );
      this.#underWay.add(work);
    });
    await Promise.all(this.#underWay);
    this.#agent.destroy();
  }

  async #one(kind: Kind, dueMs: number): Promise<void> {
    const caller = Math.floor(this.#random() * this.#tokens.length);
    const send = async (question: Question): Promise<Reply> => {
      const reply = await ask(this.#agent, this.#port, {
        ...question,
        token: this.#tokens[caller],
        headers: {
          ...(this.#random() < closingShare ? { connection: 'close' } : {}),
          ...question.headers,
        },
      });
      this.#note(kind, performance.now() - dueMs, question, reply);
      return reply;
    };
    switch (kind) {
      case 'read':
        return this.#read(send);
      case 'patch':
        return this.#patch(send);
      case 'create':
        return this.#create(send);
      case 'list':
        this.#showAll(await send({ method: 'GET', path: this.#listPath() }));
        return;
      case 'batch':
        return this.#batch(itemsPerBatch, undefined, send);
    }
  }

  #note(kind: Kind, ms: number, { method, path }: Question, reply: Reply): void {
    if (reply.kind === 'closed-idle') return this.#notes.status('closed idle');
    if (reply.kind !== 'answer') {
      const kind = reply.kind === 'broken' ? 'broken' : 'no answer';
      this.#notes.status(kind);
      return this.#notes.trouble(kind, reply.why);
    }
    const { status, text } = reply;
    this.#notes.status(status);
    if (status < 500) this.#notes.latency(kind, ms);
    else this.#notes.serverError(`${method} ${path}`, status, text);
  }

  async #read(send: (question: Question) => Promise<Reply>): Promise<void> {
    const product = this.#pick();
    if (product === undefined) return;
    const { id, version } = product;
    const reply = await send({ method: 'GET', path: `/products/${id}` });
    if (reply.kind !== 'answer' || reply.status === 429 || reply.status >= 500) return;
    const [state] = statesIn(reply.text);
    if (reply.status !== 200 || state?.id !== id || `"${state.version}"` !== reply.etag)
      this.#notes.trouble('wrong', `read of ${id}: ${reply.status} ${reply.text.slice(0, 200)}`);
    else if (state.version < version)
      this.#notes.trouble('wrong', `read of ${id}: ${state.version}, after ${version} was there`);
    this.#showAll(reply);
  }

  async #patch(send: (question: Question) => Promise<Reply>): Promise<void> {
    const product = this.#pick();
    if (product === undefined || product.isBusy) return;
    const isStale = this.#random() < wrongShare;
    product.isBusy = true;
    const tag = this.#newTag();
    const reply = await send({
      method: 'PATCH',
      path: `/products/${product.id}`,
      body: JSON.stringify({ name: tag }),
      headers: {
        'content-type': 'application/merge-patch+json',
        'if-match': `"${isStale ? product.version + 1_000 : product.version}"`,
      },
    });
    const outcome = outcomeOf(reply, product.id);
    this.#notes.writes.push({ tag, due: isStale ? 'refused' : 'done', ...outcome });
    if (outcome.outcome === 'done') product.version = outcome.version ?? product.version;
    product.isBusy = outcome.outcome === 'unknown' || outcome.outcome === 'unanswered';
    this.#showAll(reply);
  }

  async #create(send: (question: Question) => Promise<Reply>): Promise<void> {
    const isTaken = this.#random() < wrongShare;
    const tag = this.#newTag();
    const body = JSON.stringify({ sku: isTaken ? 'h-taken' : tag, ...rest(tag) });
    const reply = await send({ method: 'POST', path: '/products', body });
    this.#keep({ tag, due: isTaken ? 'refused' : 'done', ...outcomeOf(reply) });
    this.#showAll(reply);
  }

  async #batch(
    count: number,
    seeded?: number,
    send: (question: Question) => Promise<Reply> = (question) =>
      ask(this.#agent, this.#port, { ...question, token: this.#tokens[0] }),
  ): Promise<void> {
    const tags = Array.from({ length: count }, () => this.#newTag());
    const items = tags.map((tag, index) => ({
      sku: seeded === 0 && index === 0 ? 'h-taken' : tag,
      ...rest(tag, seeded !== undefined && index % 10 === 0 ? 16_000 : 20),
    }));
    const reply = await send({
      method: 'POST',
      path: '/products/batch',
      body: JSON.stringify({ items }),
    });
    for (const [index, outcome] of outcomesOf(reply, count).entries())
      this.#keep({ tag: tags[index] ?? '', due: 'done', ...outcome });
  }

  #listPath(): string {
    const limit = 10 + Math.floor(this.#random() * 40);
    const after = this.#random() < 0.5 ? '' : '&sort=-updated_at';
    return `/products?limit=${limit}${after}&status=ACTIVE`;
  }

  #pick(): Product | undefined {
    return this.#products[Math.floor(this.#random() * this.#products.length)];
  }

  #keep(write: Write): void {
    this.#notes.writes.push(write);
    const { id, version, outcome } = write;
    if (outcome === 'done' && id !== undefined && version !== undefined)
      this.#products.push({ id, version, isBusy: false });
  }

  #showAll(reply: Reply): void {
    if (reply.kind === 'answer' && reply.status < 300) this.#notes.shown(statesIn(reply.text));
  }

  #newTag(): string {
    this.#tag += 1;
    return `honest-${this.#tag}`;
  }
}

function rest(name: string, characters = 20): object {
  return {
    name,
    status: 'ACTIVE',
    price: { amount: 19.95, currency: 'EUR' },
    attributes: { color: 'red', text: 'x'.repeat(characters) },
  };
}
