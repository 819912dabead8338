import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  DevelopmentIssuer,
  developmentAudience,
  developmentIssuer,
} from '@outbound/development-issuer';
import { build } from 'esbuild';
import buildServices from '../../test/support/build-services.ts';
import { judgePipeline } from '../../test/support/judge-pipeline.ts';
import { eventually } from '../../test/support/eventually.ts';
import { ServiceProcess } from '../../test/support/service-process.ts';
import { TestPipeline } from '../../test/support/test-pipeline.ts';
import { startTestStack, urlAs } from '../../test/support/test-stack.ts';
import { benchPostgresSettings } from '../bench-stack.ts';
import { toJudgement } from '../judge.ts';
import { describeMachine } from '../machine.ts';
import type { BalancerNews } from './balancer-process.ts';
import { Fleet } from './fleet.ts';
import type { HonestNews, HonestOrder } from './honest-process.ts';
import type { HostileOrder } from './hostile-process.ts';
import { judgeAnswers, type Write } from './judge-answers.ts';
import { judgingTable, judgingVerdicts, type RestartWindow } from './judging-report.ts';
import { outcomeOf } from './outcome-of.ts';
import { readTruth } from './read-truth.ts';
import type { Phase, Told } from './told.ts';

/**
 * `npm run bench:judging -- [--minutes N] [--rate N] [--hostile N] [--seed S]`: two processes of the API behind one address, honest callers for half of the time alone and for half of it beside hostile ones, a rolling
 * restart in each half, everything real; then every answer is compared with the rows, the events and the topics. Prints tables, whether each bound is met, and one verdict. Exit code 1 if any bound is not
 * met.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '60' },
    hostile: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const halfMs = Number(values.minutes) * 30_000;
const ratePerSecond = Number(values.rate);
if (!(halfMs > 0) || !(ratePerSecond >= 3))
  throw new Error('--minutes has to be above 0, and --rate at least 3');
const products = 2_000;
const warmUpMs = Math.min(5_000, halfMs);
const honestCallers = 8;
/** Longest time until the last answers are there: where the machine is full, an open loop has many under way. */
const drainMs = 600_000;
const say = (what: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${what}`);

const children: ChildProcess[] = [];
function startChild(file: string, onMessage: (message: unknown) => void): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)));
  children.push(child);
  child.on('message', onMessage);
  return child;
}
/** Resolves with the first thing that is not undefined. @throws Error at once if a child has ended, which will say nothing any more. */
async function heard<Value>(look: () => Value | undefined, timeoutMs = 120_000): Promise<Value> {
  const found = await eventually(
    () => {
      const ended = children.find(({ exitCode }) => exitCode !== null);
      if (ended !== undefined) return { failure: `a child ended with ${ended.exitCode}` };
      const value = look();
      return value === undefined ? undefined : { value };
    },
    { timeoutMs, intervalMs: 20 },
  );
  if (found.value === undefined) throw new Error(found.failure);
  return found.value;
}

buildServices();
const folder = await mkdtemp(join(tmpdir(), 'outbound-judging-'));
const probe = join(folder, 'loop-probe.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('../loop-probe.ts', import.meta.url))],
  outfile: probe,
  format: 'esm',
  logLevel: 'warning',
});
const issuer = await DevelopmentIssuer.open(join(folder, 'issuer'));
const tokenOf = (subject: string) =>
  issuer.token({ subject, lifetimeSeconds: 3_600 + Math.ceil((halfMs * 2) / 1_000) });
const loadAtStart = loadavg()[0] ?? NaN;

try {
  await using stack = await startTestStack({
    postgres: { settings: { ...benchPostgresSettings, autovacuum: 'on' } },
    kafka: { jvm: 'throughput', heapMb: 1024 },
  });
  await using pipeline = await TestPipeline.create(stack);
  await pipeline.startRelay();
  const startApi = () =>
    new ServiceProcess(
      'services/catalog-api/dist/main.js',
      {
        CATALOG_API_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_api'),
        CATALOG_API_PORT: '0',
        CATALOG_API_ADMIN_PORT: '0',
        CATALOG_API_AUTH_ISSUER: developmentIssuer,
        CATALOG_API_AUTH_AUDIENCE: developmentAudience,
        CATALOG_API_AUTH_JWKS_PATH: issuer.jwksPath,
        CATALOG_API_AUTH_DEVELOPMENT_ISSUER: 'true',
      },
      ['--import', probe, '--max-old-space-size=256'],
    );

  let port: number | undefined;
  let ready: readonly string[] = [];
  let refused = 0;
  const balancer = startChild('./balancer-process.ts', (message) => {
    const news = message as BalancerNews;
    if ('port' in news) port = news.port;
    else ({ ready, refused } = news);
  });
  const fleet = new Fleet(startApi, (members) => balancer.send(members));
  const untilReady = (name: string): Promise<void> =>
    heard(() => (ready.includes(name) ? true : undefined)).then(() => undefined);
  const address = await heard(() => port);
  await Promise.all([fleet.add('a'), fleet.add('b')]);
  await Promise.all([untilReady('a'), untilReady('b')]);

  let ids: readonly string[] | undefined;
  let honest: Extract<HonestNews, { told: unknown }> | undefined;
  const honestChild = startChild('./honest-process.ts', (message) => {
    const news = message as HonestNews;
    if ('products' in news) ids = news.products;
    else honest = news;
  });
  const order = (what: HonestOrder) => honestChild.send(what);
  const watching = new AbortController();
  const watch = fleet.watch(watching.signal);
  const restarts: RestartWindow[] = [];

  /** A half: its restart begins after a quarter of it, and it lasts until that is over. */
  const half = async (phase: Phase): Promise<void> => {
    say(`${phase} hostile callers`);
    order({ phase });
    const over = delay(halfMs);
    await delay(halfMs / 4);
    say('rolling restart');
    const fromMs = Date.now();
    const steps = await fleet.roll(untilReady);
    restarts.push({ phase, fromMs, toMs: Date.now(), steps });
    say('all processes are new');
    await over;
  };

  say(`seed ${values.seed}; making ${products} products`);
  const hotTag = 'hot-row';
  const hotAnswer = await fetch(`http://127.0.0.1:${address}/products`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await tokenOf('judge')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ sku: hotTag, name: hotTag }),
  });
  const hot: Write = {
    tag: hotTag,
    due: 'done',
    ...outcomeOf({
      kind: 'answer',
      status: hotAnswer.status,
      etag: hotAnswer.headers.get('etag') ?? undefined,
      text: await hotAnswer.text(),
    }),
  };
  order({
    begin: {
      port: address,
      tokens: await Promise.all(
        Array.from({ length: honestCallers + 2 }, (_, caller) => tokenOf(`honest-${caller}`)),
      ),
      ratePerSecond,
      seed: Number(values.seed),
      products,
    },
  });
  await heard(() => ids);
  await delay(warmUpMs);
  await half('without');

  let hostile: Told | undefined;
  const hostileChild = startChild('./hostile-process.ts', (told) => (hostile = told as Told));
  const orderHostile = (what: HostileOrder) => hostileChild.send(what);
  const [slow, hammer, expensive, other] = await Promise.all(
    ['slow', 'hammer', 'expensive', 'other'].map(tokenOf),
  );
  orderHostile({
    begin: {
      port: address,
      tokens: {
        slow: slow ?? '',
        hammer: hammer ?? '',
        expensive: expensive ?? '',
        other: other ?? '',
      },
      hotId: hot.id ?? '',
      times: Number(values.hostile),
    },
  });
  await half('with');
  order({ stop: true });
  orderHostile({ stop: true });
  const { told, bulk } = await heard(() => honest, drainMs);
  const toldHostile = await heard(() => hostile, drainMs);
  watching.abort();
  await watch;
  const processes = await fleet.close();

  say('judging');
  await pipeline.caughtUp(300_000);
  const truth = await readTruth(pipeline.sql);
  const run = {
    honest: told,
    hostile: toldHostile,
    restarts,
    processes,
    refused,
    answers: judgeAnswers(
      {
        writes: [hot, ...told.writes, ...toldHostile.writes],
        shown: [...told.shown, ...toldHostile.shown],
      },
      truth,
    ),
    judgement: toJudgement(
      await judgePipeline(pipeline, {
        finalRows: truth.rows.map(({ id, version }) => ({
          aggregateId: id,
          version,
          isDeleted: false,
        })),
      }),
    ),
  };
  const { lines, hasPassed } = judgingVerdicts(run);
  const { commit, cores, cpuModel, node } = await describeMachine('.');
  console.log(`# ${values.minutes} min, ${ratePerSecond} requests/s in an open loop beside autocannon at ${ratePerSecond * 2} reads/s and ${Math.ceil(ratePerSecond / 3)} creates/s, hostile callers × ${values.hostile}, seed ${values.seed}

commit ${commit}, ${cores} cores of ${cpuModel}, Node ${node}; load average ${loadAtStart.toFixed(1)} at the start, ${(loadavg()[0] ?? NaN).toFixed(1)} at the end

${judgingTable(run)}

autocannon: ${Object.entries(bulk)
    .map(
      ([kind, { sent, answered, errors }]) =>
        `${sent} ${kind} sent, ${answered} answered, ${errors} errors of connections`,
    )
    .join('; ')}
judged: ${run.judgement.committed} events, ${run.judgement.records} records, ${told.writes.length} honest and ${toldHostile.writes.length} hostile changes, ${told.shown.length} states that reads have shown

${lines.join('\n')}`);
  process.exitCode = hasPassed ? 0 : 1;
} finally {
  for (const child of children) if (child.connected) child.disconnect();
  await rm(folder, { recursive: true, force: true });
}
