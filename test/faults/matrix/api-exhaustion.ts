import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createProduct } from '../../support/api-load.ts';
import { eventually } from '../../support/eventually.ts';
import { limitOpenFiles, openFiles } from '../../support/open-files.ts';
import { RawSockets } from '../../support/raw-sockets.ts';
import type { ServiceProcess } from '../../support/service-process.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';
import { urlAs } from '../../support/test-stack.ts';

/** What became of the API when something ran out. */
export interface Exhaustion {
  readonly what: string;
  /** Proof that it ran out. */
  readonly bit: string;
  /** What it did wrong, if it did. */
  readonly wrong?: string | undefined;
}

/** An API under test, and how it is asked. */
export interface ApiUnderTest {
  readonly pipeline: TestPipeline;
  readonly api: ServiceProcess;
  readonly url: string;
}

/** The longest that a request may wait for a connection and then for a statement, and half a second. */
const boundMs = 3000;

let products = 0;
/** A product that nobody has asked for. */
const ask = (url: string, timeoutMs?: number) =>
  createProduct(url, `exhausted-${(products += 1)}`, timeoutMs === undefined ? {} : { timeoutMs });
const recovers = (url: string) =>
  eventually(async () => (await ask(url)) === 201, { timeoutMs: 30_000, intervalMs: 100 });

/** Every connection of the pool waits for a lock of somebody else. */
export async function poolTaken({ pipeline, url }: ApiUnderTest): Promise<Exhaustion> {
  const blocker = await pipeline.connect();
  let answers: number[];
  try {
    await blocker.query('begin; lock table product in exclusive mode');
    answers = await Promise.all(Array.from({ length: 60 }, () => ask(url)));
  } finally {
    await blocker.end();
  }
  await recovers(url);
  const busy = answers.filter((status) => status === 503).length;
  return {
    what: 'pool taken',
    bit: `${busy} of ${answers.length} requests answered 503`,
    wrong:
      busy === answers.length
        ? undefined
        : `answers ${[...new Set(answers)].join(', ')}, 503 expected`,
  };
}

/** Postgres has no connection left, and has just cut off those of the API. */
export async function serverConnectionsTaken({ pipeline, url }: ApiUnderTest): Promise<Exhaustion> {
  const others: pg.Client[] = [];
  let refusal: unknown;
  let answer: number;
  try {
    const take = async () => {
      while (refusal === undefined) {
        const client = new pg.Client({
          connectionString: urlAs(pipeline.databaseUrl, 'outbound_api'),
        });
        client.on('error', () => undefined);
        await client.connect().then(
          () => others.push(client),
          (error: unknown) => (refusal = error),
        );
      }
    };
    await take();
    await pipeline.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'catalog-api'`,
    );
    // What was given back is taken, too, before the API asks for it.
    refusal = undefined;
    await take();
    answer = await ask(url);
  } finally {
    await Promise.all(others.map((client) => client.end().catch(() => undefined)));
  }
  await recovers(url);
  const { code } = refusal as { code?: string };
  return {
    what: 'connections of Postgres taken',
    bit: `${others.length} connections of others, then ${code}`,
    wrong: answer === 503 ? undefined : `answered ${answer}, 503 expected`,
  };
}

/** The process may open no further socket. */
export async function filesTaken({ api, url }: ApiUnderTest): Promise<Exhaustion> {
  const port = Number(new URL(url).port);
  const limit = openFiles(api.pid) + 8;
  limitOpenFiles(api.pid, limit);
  let turnedAway: number;
  try {
    using sockets = await RawSockets.open(port, 200);
    // What cannot be taken in is closed at once, or waits in the server's queue.
    turnedAway = await eventually(() => sockets.closed, { timeoutMs: 10_000 });
  } finally {
    limitOpenFiles(api.pid, 4096);
  }
  await recovers(url);
  return {
    what: 'file descriptors taken',
    bit: `${limit} descriptors against 200 sockets, ${turnedAway} turned away`,
    wrong: api.isRunning ? undefined : 'the process has ended',
  };
}

/** Hundreds of callers who never come to the end of their head. */
export async function slowCallers({ url }: ApiUnderTest): Promise<Exhaustion> {
  using sockets = await RawSockets.open(Number(new URL(url).port), 300);
  sockets.write('POST /products HTTP/1.1\r\nhost: x\r\n');
  const times: number[] = [];
  const startedMs = performance.now();
  const answers = new Set<number>();
  while (sockets.closed < sockets.opened && performance.now() - startedMs < 40_000) {
    sockets.write('x');
    const before = performance.now();
    answers.add(await ask(url));
    times.push(performance.now() - before);
    await delay(50);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const wrong = [
    ...(answers.size === 1 && answers.has(201) ? [] : [`answers ${[...answers].join(', ')}`]),
    ...(sockets.closed === sockets.opened
      ? []
      : [`${sockets.opened - sockets.closed} are still served`]),
  ];
  return {
    what: 'slowloris',
    bit: `${sockets.opened} slow connections, ${sockets.closed} ended by the API within ${seconds.toFixed(0)} s; others waited ${Math.max(...times).toFixed(0)} ms at most`,
    wrong: wrong[0],
  };
}

/** Ten times as many callers as the pool and its queue take. */
export async function tooManyCallers({ api, url }: ApiUnderTest): Promise<Exhaustion> {
  const times: number[] = [];
  const linesBefore = api.logs.length;
  const answers = new Map<number, number>();
  const untilMs = performance.now() + 8000;
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      while (performance.now() < untilMs) {
        const before = performance.now();
        const status = await ask(url);
        times.push(performance.now() - before);
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
    }),
  );
  await recovers(url);
  // By the API's own clock: on a busy machine callers, who are all in this process, wait for their own turn as well.
  const own = api.logs
    .slice(linesBefore)
    .flatMap(({ message, durationMs }) =>
      message === 'request answered' && typeof durationMs === 'number' ? [durationMs] : [],
    );
  const unexpected = [...answers.keys()].filter((status) => ![201, 503, 429].includes(status));
  const said = [...answers].map(([status, n]) => `${n} × ${status}`).join(', ');
  return {
    what: '10× load',
    bit: `200 callers: ${said}; p99 ${p99(own).toFixed(0)} ms of ${own.length} by the API's clock, ${p99(times).toFixed(0)} ms by the callers'`,
    wrong:
      unexpected.length > 0
        ? `answers ${unexpected.join(', ')}`
        : p99(own) < boundMs
          ? undefined
          : `p99 is ${p99(own).toFixed(0)} ms, more than ${boundMs}`,
  };
}

/** NaN of nothing. */
function p99(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
