import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { judgePipeline } from '../../test/support/judge-pipeline.ts';
import { TestPipeline } from '../../test/support/test-pipeline.ts';
import type { TestStack } from '../../test/support/test-stack.ts';
import { toJudgement, type Judgement } from '../judge.ts';
import { readProcessUsage } from '../process-usage.ts';
import { median, summarizeLatency } from '../statistics.ts';
import { bundleWithoutOutbox } from './bundle-without-outbox.ts';
import { startBuiltApi, startOldPath, startWithoutOutbox, type Contender } from './contender.ts';
import type { LoadAnswer, LoadOrder } from './load-process.ts';

/** What one contender's answers to one kind of request cost; medians of the rounds. */
export interface ApiRow {
  readonly contender: string;
  readonly kind: LoadOrder['kind'];
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the process that answers, ms a request. */
  readonly serverMs: number;
  /** Processor time of its sessions in Postgres, ms a request. */
  readonly postgresMs: number;
  /** Share (0 to 1) of the requests that were refused, as conflicts are. */
  readonly refused: number;
}

/** What the single request costs, side by side. */
export interface ApiRun {
  readonly callers: number;
  readonly requests: number;
  readonly rounds: number;
  readonly rows: readonly ApiRow[];
  readonly judgement: Judgement;
}

const callers = 16;
/** Until a process runs as it does for the rest of its life. */
const warmUpRequests = 5_000;
const hotRows = 4;

type Work = (order: Omit<LoadOrder, 'port' | 'run'>) => Promise<ApiRow>;

/**
 * Measures creates, reads and patches of four hot rows by 16 callers in a process of their own: of the built API with the relay behind it, of the same API
 * without an outbox, and of the path that is replaced. Rounds are interleaved; ratios are taken within one run.
 */
export async function runApi(
  stack: TestStack,
  { requests, rounds, say }: { requests: number; rounds: number; say: (what: string) => void },
): Promise<ApiRun> {
  await bundleWithoutOutbox();
  await using pipeline = await TestPipeline.create(stack);
  await using alone = await TestPipeline.create(stack);
  await using old = await TestPipeline.create(stack);
  await pipeline.startRelay();
  const load = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)));
  const contenders = [
    { on: pipeline, is: await startBuiltApi(pipeline, 'outbox and relay') },
    { on: alone, is: await startWithoutOutbox(alone) },
    { on: old, is: await startOldPath(old) },
  ];
  try {
    const racers: { name: string; ids: readonly string[]; work: Work }[] = [];
    for (const { on, is } of contenders) {
      say(`${is.name}: warming up`);
      const work = measuring(load, on, is);
      const order = { kind: 'create', callers, requests: warmUpRequests, ids: [], run: 'warm' };
      const { ids } = await ask(load, { ...order, port: is.port } as LoadOrder);
      await work({ kind: 'get', callers, requests: warmUpRequests, ids });
      racers.push({ name: is.name, ids, work });
    }
    const found: ApiRow[] = [];
    for (let round = 0; round < rounds; round += 1)
      for (const kind of ['create', 'get', 'patch'] as const)
        for (let turn = 0; turn < racers.length; turn += 1) {
          // Whose turn is first changes from round to round.
          const racer = racers[(turn + round) % racers.length];
          if (racer === undefined) continue;
          say(`round ${round + 1}: ${kind}, ${racer.name}`);
          const ids = kind === 'patch' ? racer.ids.slice(0, hotRows) : racer.ids;
          found.push(await racer.work({ kind, callers, requests, ids }));
        }
    for (const { is } of contenders) await is.stop();
    await pipeline.caughtUp();
    return {
      callers,
      requests,
      rounds,
      rows: medians(found),
      judgement: toJudgement(await judgePipeline(pipeline, { allowedDuplicates: 0 })),
    };
  } finally {
    for (const { is } of contenders) await is.stop();
    load.disconnect();
  }
}

let runs = 0;

function measuring(
  load: ChildProcess,
  pipeline: TestPipeline,
  { name, pid, port }: Contender,
): Work {
  return async (order) => {
    const before = await processorMs(pipeline, pid);
    const answer = await ask(load, { ...order, port, run: `r${(runs += 1)}` });
    const after = await processorMs(pipeline, pid);
    const { p50, p99, count } = summarizeLatency(answer.durationsMs);
    return {
      contender: name,
      kind: order.kind,
      perSecond: order.requests / answer.seconds,
      p50Ms: p50,
      p99Ms: p99,
      serverMs: (after.server - before.server) / order.requests,
      postgresMs: (after.postgres - before.postgres) / order.requests,
      refused: 1 - count / order.requests,
    };
  };
}

/** Of the server, and of the sessions that it has in its database. They stay open between the two looks. */
async function processorMs(
  pipeline: TestPipeline,
  pid: number,
): Promise<{ readonly server: number; readonly postgres: number }> {
  const { rows } = await pipeline.sql.query<{ pid: number }>(
    `select pid from pg_stat_activity
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  const of = async (each: number): Promise<number> =>
    (await readProcessUsage(each)).cpuSeconds * 1_000;
  const sessions = await Promise.all(rows.map((row) => of(row.pid)));
  return { server: await of(pid), postgres: sessions.reduce((sum, each) => sum + each, 0) };
}

async function ask(load: ChildProcess, order: LoadOrder): Promise<LoadAnswer> {
  load.send(order);
  const [message] = (await once(load, 'message')) as [{ answer: LoadAnswer } | { error: string }];
  if ('error' in message) throw new Error(`the callers failed: ${message.error}`);
  const strange = Object.keys(message.answer.statuses).filter(
    (status) => !['200', '201', '412'].includes(status),
  );
  if (strange.length > 0) throw new Error(`the callers were answered ${strange.join(', ')}`);
  return message.answer;
}

function medians(found: readonly ApiRow[]): readonly ApiRow[] {
  const groups = new Map<string, ApiRow[]>();
  for (const row of found) {
    const key = `${row.kind} ${row.contender}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((rows) => {
    const [first] = rows;
    if (first === undefined) return [];
    const of = (pick: (row: ApiRow) => number): number => median(rows.map(pick));
    return {
      contender: first.contender,
      kind: first.kind,
      perSecond: of((row) => row.perSecond),
      p50Ms: of((row) => row.p50Ms),
      p99Ms: of((row) => row.p99Ms),
      serverMs: of((row) => row.serverMs),
      postgresMs: of((row) => row.postgresMs),
      refused: of((row) => row.refused),
    };
  });
}
