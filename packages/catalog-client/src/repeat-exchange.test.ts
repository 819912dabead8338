import { describe, expect, it } from 'vitest';
import { sendBatches } from './batches.ts';
import { itemsOf } from './pages.ts';
import {
  createSender,
  NoAnswerError,
  type Exchange,
  type Reply,
  type RetryOptions,
} from './repeat-exchange.ts';

const reply = (
  status: number,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
): Reply => ({
  status,
  headers: new Headers({
    ...(status >= 400 ? { 'content-type': 'application/problem+json' } : {}),
    ...headers,
  }),
  text: JSON.stringify(body),
});
const problem = (status: number, type: string, headers = {}) =>
  reply(status, { type: `/problems/${type}` }, headers);
const broken = () =>
  Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } });

/** A sender whose answers, time and chance are made here. */
function senderOf(
  answer: (exchange: Exchange, attempt: number) => Reply | Error,
  options: RetryOptions = {},
) {
  const exchanges: Exchange[] = [];
  const pauses: number[] = [];
  let nowMs = 0;
  let keys = 0;
  const send = createSender(
    {
      transport: async (exchange) => {
        exchanges.push(exchange);
        await Promise.resolve();
        const answered = answer(exchange, exchanges.length);
        if (answered instanceof Error) throw answered;
        return answered;
      },
      clock: {
        nowMs: () => nowMs,
        wallMs: () => 0,
        sleep: async (ms, signal) => {
          pauses.push(ms);
          nowMs += ms;
          await Promise.resolve();
          signal?.throwIfAborted();
        },
      },
      random: () => 1,
      newKey: () => `key-${(keys += 1)}`,
      basePauseMs: 200,
      maxPauseMs: 1_000,
      ...options,
    },
    () => Promise.resolve({ authorization: `Bearer t${exchanges.length + 1}` }),
  );
  const keysOf = () => exchanges.map(({ headers }) => headers['idempotency-key']);
  return { send, exchanges, pauses, keysOf };
}
const post = { method: 'POST', url: 'http://api/products', headers: {}, body: '{}' };

describe('a write', () => {
  it('is repeated under one key, with a token for each try, until it is answered', async () => {
    const answers = [
      problem(503, 'unavailable'),
      broken(),
      problem(503, 'outcome-unknown'),
      problem(429, 'too-many-requests', { 'retry-after': '3' }),
      reply(201),
    ];
    const { send, exchanges, pauses, keysOf } = senderOf(
      (_, attempt) => answers[attempt - 1] ?? reply(500),
    );
    expect((await send(post)).status).toBe(201);
    expect(keysOf()).toEqual(Array(5).fill('key-1'));
    expect(exchanges.map(({ headers }) => headers['authorization'])).toEqual(
      [1, 2, 3, 4, 5].map((n) => `Bearer t${n}`),
    );
    expect(pauses).toEqual([200, 400, 800, 4_000]);
  });

  it('keeps the key that its caller gave it, and the next one has another', async () => {
    const { send, keysOf } = senderOf(() => reply(201));
    await send({ ...post, headers: { 'idempotency-key': 'mine' } });
    await send(post);
    await send(post);
    await send({ ...post, method: 'GET' });
    expect(keysOf()).toEqual(['mine', 'key-1', 'key-2', undefined]);
  });

  it.each([400, 401, 403, 404, 409, 412, 413, 428, 500])(
    'is not repeated after %d',
    async (status) => {
      const { send, exchanges } = senderOf(() => problem(status, 'x'));
      expect((await send(post)).status).toBe(status);
      expect(exchanges).toHaveLength(1);
    },
  );

  it('ends with its last answer when patience ends, whatever the server asks for', async () => {
    const { send, pauses } = senderOf(() => problem(503, 'unavailable'), { patienceMs: 2_000 });
    expect((await send(post)).status).toBe(503);
    expect(pauses).toEqual([200, 400, 800]);
    const asked = senderOf(() => problem(503, 'unavailable', { 'retry-after': '50' }));
    expect((await asked.send(post)).status).toBe(503);
    expect(asked.pauses).toEqual([]);
  });

  it('without any answer ends with an error that says whether it may have been done', async () => {
    const { send } = senderOf(broken, { patienceMs: 500 });
    const error = await send(post).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error).toMatchObject({
      message: 'POST /products got no answer in 2 tries (ECONNRESET)',
      isOutcomeUnknown: true,
      idempotencyKey: 'key-1',
    });
    const reading = senderOf(broken, { patienceMs: 0 });
    await expect(reading.send({ ...post, method: 'GET' })).rejects.toMatchObject({
      isOutcomeUnknown: false,
    });
  });

  it('without keys is repeated only where nothing was done', async () => {
    const { send, exchanges } = senderOf(
      (_, attempt) => problem(503, attempt === 1 ? 'unavailable' : 'outcome-unknown'),
      { newKey: null },
    );
    expect((await send(post)).status).toBe(503);
    expect(exchanges.map(({ headers }) => headers['idempotency-key'])).toEqual([
      undefined,
      undefined,
    ]);
    const lost = senderOf(broken, { newKey: null });
    await expect(lost.send(post)).rejects.toMatchObject({ isOutcomeUnknown: true });
    expect(lost.exchanges).toHaveLength(1);
  });

  it('ends at once when its caller aborts, also in a pause', async () => {
    const stop = new AbortController();
    const { send, exchanges } = senderOf(() => {
      stop.abort(new Error('enough'));
      return problem(503, 'unavailable');
    });
    await expect(send({ ...post, signal: stop.signal })).rejects.toThrow('enough');
    await expect(send({ ...post, signal: stop.signal })).rejects.toThrow('enough');
    expect(exchanges).toHaveLength(1);
  });
});

describe('a stream of batches', () => {
  const results = (exchange: Exchange, status = 200) => {
    const { items } = JSON.parse(exchange.body ?? '') as { items: unknown[] };
    return { items: items.map((_, index) => ({ index, status })) };
  };
  const all = async <Each>(each: AsyncIterable<Each>): Promise<Each[]> => {
    const list: Each[] = [];
    for await (const one of each) list.push(one);
    return list;
  };
  const many = (send: ReturnType<typeof senderOf>['send'], items: Iterable<unknown>) =>
    sendBatches(send, {
      method: 'PATCH',
      url: 'http://api/products/batch',
      items,
      key: 'run',
      batchSize: 3,
    });

  it('tells of each item in order, each batch under a key of its own, and takes the next items when it needs them', async () => {
    let taken = 0;
    function* items() {
      for (; taken < 7; taken += 1) yield taken === 0 ? '{"exact":1.50}' : { taken };
    }
    const { send, exchanges, keysOf } = senderOf((exchange) =>
      reply(207, results(exchange), { 'idempotent-replayed': '1-1' }),
    );
    const told = many(send, items());
    expect((await told.next()).value).toEqual({ index: 0, status: 200, wasBefore: false });
    expect(taken).toBe(3);
    expect((await all(told)).map(({ index, wasBefore }) => [index, wasBefore])).toEqual([
      [1, true],
      [2, false],
      [3, false],
      [4, true],
      [5, false],
      [6, false],
    ]);
    expect(keysOf()).toEqual(['run.0', 'run.1', 'run.2']);
    expect(exchanges[0]?.body).toBe('{"items":[{"exact":1.50},{"taken":1},{"taken":2}]}');
  });

  it('sends a batch again of which items met what passes, and tells them as they are when patience ends', async () => {
    const { send, keysOf } = senderOf((exchange, attempt) =>
      reply(207, results(exchange, attempt === 1 ? 503 : 200)),
    );
    expect((await all(many(send, [1, 2]))).map(({ status }) => status)).toEqual([200, 200]);
    expect(keysOf()).toEqual(['run.0', 'run.0']);
    const never = senderOf((exchange) => reply(207, results(exchange, 503)), { patienceMs: 1_000 });
    expect((await all(many(never.send, [1]))).map(({ status }) => status)).toEqual([503]);
    // What the service fails at is tried three times.
    const defect = senderOf((exchange) => reply(207, results(exchange, 500)));
    expect((await all(many(defect.send, [1]))).map(({ status }) => status)).toEqual([500]);
    expect(defect.exchanges).toHaveLength(3);
  });

  it('goes in halves where it is too large, down to the item that is', async () => {
    const { send, keysOf } = senderOf((exchange) =>
      exchange.body?.includes('"big"') === true
        ? problem(413, 'body-too-large')
        : reply(207, results(exchange)),
    );
    const told = await all(
      many(
        send,
        [1, 2, 'big'].map((what) => ({ what })),
      ),
    );
    expect(told.map(({ index, status }) => [index, status])).toEqual([
      [0, 200],
      [1, 200],
      [2, 413],
    ]);
    expect(keysOf()).toEqual(['run.0', 'run.0.1', 'run.0.2']);
  });

  it.each([
    ['a page of somebody else', reply(207, '<html>')],
    ['results of other items', reply(207, { items: [{ index: 7, status: 200 }] })],
    ['a refusal', problem(403, 'insufficient-scope')],
  ])('ends with %s', async (_name, answer) => {
    const { send } = senderOf(() => answer);
    await expect(all(many(send, [1]))).rejects.toThrow(/PATCH .* is answered (207|403)/);
  });
});

describe('the items of a list', () => {
  it('come page by page, from the host that was asked and no other', async () => {
    const { send, exchanges } = senderOf((_, attempt) =>
      attempt === 1
        ? reply(200, {
            items: [1, 2],
            next: 'https://elsewhere.example/products?cursor=c&status=A',
          })
        : reply(200, { items: [3] }),
    );
    const found: unknown[] = [];
    for await (const item of itemsOf(send, 'http://api/v1/products?status=A')) found.push(item);
    expect(found).toEqual([1, 2, 3]);
    expect(exchanges.map(({ url }) => url)).toEqual([
      'http://api/v1/products?status=A',
      'http://api/v1/products?cursor=c&status=A',
    ]);
  });
});
