import { setTimeout as delay } from 'node:timers/promises';
import type { Chance } from '../../test/simulation/chance.ts';

/** One request that changes something, as the caller saw it. */
export interface Attempt {
  readonly startedMs: number;
  readonly durationMs: number;
  /** Undefined: no answer within the caller's patience, or a broken connection. */
  readonly status: number | undefined;
}

/** What callers saw in all. */
export interface LoadResult {
  readonly attempts: readonly Attempt[];
  /** Changes that a caller gave up, after `attemptsPerChange`. */
  readonly abandonedCount: number;
}

const writers = 8;
const createShare = 0.2;
const attemptsPerChange = 4;
const patienceMs = 5000;

/**
 * Changes a few hot products and creates new ones, from several callers at once, until the signal is aborted. A caller behaves as callers do: it
 * waits 5 s, tries again a few times after 5xx or no answer, and reads the row again after 412.
 * @param options.urls of the API's processes, taken in turn; asked for each request, because a restarted process listens elsewhere.
 */
export async function writeUntil(
  stop: AbortSignal,
  { urls, chance }: { readonly urls: () => readonly string[]; readonly chance: Chance },
): Promise<LoadResult> {
  const attempts: Attempt[] = [];
  let abandonedCount = 0;
  let turn = 0;
  const request = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ): Promise<Response | undefined> => {
    const startedMs = performance.now();
    const bases = urls();
    const baseUrl = bases[turn++ % bases.length] ?? '';
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: body === undefined ? headers : { 'content-type': type, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(patienceMs),
    })
      .then(async (answer) => {
        await answer.arrayBuffer();
        return answer;
      })
      .catch(() => undefined);
    if (method !== 'GET')
      attempts.push({
        startedMs,
        durationMs: performance.now() - startedMs,
        status: response?.status,
      });
    return response;
  };
  /** Tries a change until it is answered with anything but 5xx or silence. */
  const insist = async (
    random: Chance,
    change: () => Promise<Response | undefined>,
  ): Promise<Response | undefined> => {
    for (let attempt = 1; attempt <= attemptsPerChange; attempt++) {
      const response = await change();
      if (response && response.status < 500) return response;
      await delay(attempt * (100 + random.unit() * 200));
    }
    abandonedCount++;
    return undefined;
  };
  const price = (random: Chance) => ({ amount: random.int(1, 1_000_000) / 100, currency: 'USD' });
  const create = async (random: Chance, sku: string): Promise<string | undefined> => {
    const body = { sku, name: `Product ${sku}`, status: 'ACTIVE', price: price(random) };
    const response = await insist(random, () => request('POST', '/products', {}, body));
    return response?.headers.get('location')?.split('/').at(-1);
  };
  const patch = async (random: Chance, id: string): Promise<void> => {
    const body = { price: price(random) };
    let isStale = true;
    while (isStale && !stop.aborted) {
      const response = await insist(random, async () => {
        const current = await request('GET', `/products/${id}`);
        const etag = current?.headers.get('etag');
        return etag ? request('PATCH', `/products/${id}`, { 'if-match': etag }, body) : undefined;
      });
      isStale = response?.status === 412;
    }
  };

  const hot: string[] = [];
  for (let number = 1; hot.length < 4; number++) {
    const id = await create(chance, `HOT-${number}`);
    if (id !== undefined) hot.push(id);
  }
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const random = chance.fork(`writer ${writer}`);
      for (let number = 0; !stop.aborted; number++) {
        if (random.unit() < createShare) await create(random, `W${writer}-${number}`);
        else await patch(random, hot[random.int(0, hot.length - 1)] ?? '');
      }
    }),
  );
  return { attempts, abandonedCount };
}
