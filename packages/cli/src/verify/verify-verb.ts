import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase, type StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { startAdminServer } from '@outbound/service-kit';
import packageJson from '../../package.json' with { type: 'json' };
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { oneAtATime } from '../operations/one-at-a-time.ts';
import { recorded } from '../operations/operation.ts';
import type { AddVerb } from '../verb.ts';
import type { Verdict } from './findings.ts';
import { repair, repairPreview, type Repaired } from './repair.ts';
import { silentLog } from '../kafka/silent-log.ts';
import { runVerify, stateRouteOf } from './run-verify.ts';
import { lastValues } from './topic-side.ts';
import type { Verification } from './verify-aggregate.ts';
import { VerifyMetrics } from './verify-metrics.ts';
import { verifyRequest, type VerifyOptions, type VerifyRequest } from './verify-options.ts';
import { verdictText, verdictToJson } from './verify-report.ts';

/** `outbound verify [AGGREGATE…]`: inbound equals outbound, entity by entity, while traffic goes on. */
export const addVerify: AddVerb = (verb, bind) => {
  verb
    .argument('[aggregate...]', `${[...storedAggregates.keys()].join(', ')}; all by default`)
    .option('--repair', 'emit what puts the topic right (S and D events through the outbox)')
    .option('-y, --yes', 'repair without asking')
    .option('--every <time>', 'again and again, for ever: 60s, 5m')
    .option('--metrics-port <port>', 'with --every: serve /metrics, /livez and /readyz here')
    .option('--metrics-host <address>', 'address of the metrics port', '127.0.0.1')
    .option('--max-ids <n>', 'ids shown of each kind of difference; counts are always exact', '100')
    .option('--wait <time>', 'how long to wait for the relay in each round', '60s')
    .option('--rounds <n>', 'rounds to decide what differs at first', '10')
    .addHelpText(
      'after',
      '\nExit code 0: clean. 3: differences, or what could not be decided (the relay is behind). 5: Postgres or Kafka does not answer.\nWrites one empty message into the log a round, as a watermark; changes nothing else without --repair.',
    )
    .action(bind(verify));
};

async function verify(
  context: CliContext,
  names: readonly string[],
  options: VerifyOptions,
): Promise<ExitCode> {
  const request = verifyRequest(names, options);
  if (request.everyMs !== undefined) return verifyForEver(context, request, request.everyMs);
  if (!request.isRepair) return verifyOnce(context, request);
  return oneAtATime(await context.database(), 'verify --repair', () =>
    verifyAndRepair(context, request, options.yes === true),
  );
}

async function verifyOnce(context: CliContext, request: VerifyRequest): Promise<ExitCode> {
  let isClean = true;
  await runVerify(context, request, (_, { verdict }) => {
    isClean &&= verdict.state === 'clean';
    answer(context, verdict);
  });
  return isClean ? exitCodes.done : exitCodes.differs;
}

/** Repairs after everything was looked at and shown, then verifies again: that is its answer. */
async function verifyAndRepair(
  context: CliContext,
  request: VerifyRequest,
  yes: boolean,
): Promise<ExitCode> {
  const damaged: (Verification & { readonly aggregate: StoredAggregate })[] = [];
  await runVerify(context, request, (aggregate, verification) => {
    answer(context, verification.verdict);
    if (verification.verdict.state === 'differs') damaged.push({ aggregate, ...verification });
    else if (verification.verdict.state === 'undecided')
      context.output.note(`${aggregate.name}: what is undecided is not repaired`);
  });
  const previews = damaged.map(({ verdict }) => repairPreview(verdict));
  const wanted = previews.reduce((sum, preview) => sum + preview.repairable, 0);
  const not = previews.reduce((sum, preview) => sum + preview.not, 0);
  if (not > 0)
    context.output.note(
      `${not} of kind ahead or misplaced cannot be put right by an event: see docs/verify.md`,
    );
  if (wanted > 0) {
    await context.confirm(`Emit events for ${wanted} entities, through the outbox?`, { yes });
    await repairAll(context, damaged, wanted);
  }
  return verifyOnce(context, request);
}

async function repairAll(
  context: CliContext,
  damaged: readonly (Verification & { readonly aggregate: StoredAggregate })[],
  wanted: number,
): Promise<void> {
  const pool = await context.database();
  const db = createDatabase(pool);
  const aggregates = damaged.map(({ aggregate }) => aggregate.name).join(', ');
  const parameters = { repair: true, aggregates, differences: wanted };
  await recorded(pool, { verb: 'verify', parameters }, async (operation) => {
    for (const { aggregate, view } of damaged) {
      const source = {
        connection: context.kafka(),
        topic: stateRouteOf(aggregate, context.settings.topicPrefix).topic,
        signal: context.signal,
        log: silentLog,
      };
      const done = await repair(
        db,
        aggregate,
        view.index,
        (keys) => lastValues(keys, source),
        async (progress) => {
          await operation.progress({ aggregate: aggregate.name, ...progress });
          context.signal.throwIfAborted();
        },
      );
      context.output.answer(
        { aggregate: aggregate.name, repaired: repairedToJson(done), operation: operation.id },
        `${aggregate.name}: emitted ${done.snapshots} S events, ${done.deletions} D events of deleted rows, ${done.ghosts} D events of keys without a row; left ${done.leftAlone} keys without a row alone; verifying again`,
      );
    }
  });
}

function repairedToJson({ snapshots, deletions, ghosts, leftAlone }: Repaired) {
  return { snapshots, deletions, ghosts, left_alone: leftAlone };
}

/**
 * Until the signal. A run that fails is told and counted, and the next one comes: whoever watches sees when the last
 * verdict was.
 */
async function verifyForEver(
  context: CliContext,
  request: VerifyRequest,
  everyMs: number,
): Promise<ExitCode> {
  // A database that is not there at the beginning ends the process loudly; one that goes away later may come back.
  await context.database();
  const metrics = new VerifyMetrics(packageJson.version);
  let last: { readonly isClean: boolean; readonly atMs: number } | undefined;
  if (request.metrics) {
    const server = await startAdminServer({
      ...request.metrics,
      registry: metrics.registry,
      checks: {
        verify: () =>
          last === undefined
            ? { ok: false, detail: 'unknown: no run has come to a verdict' }
            : { ok: last.isClean, sinceMs: Date.now() - last.atMs },
      },
    });
    context.onClose(() => server.close());
    context.output.note(`metrics on http://${request.metrics.host}:${server.port}/metrics`);
  }
  while (!context.signal.aborted) {
    const startedMs = performance.now();
    try {
      let isClean = true;
      await runVerify(context, request, (_, { verdict }) => {
        metrics.verified(verdict, Date.now());
        isClean &&= verdict.state === 'clean';
        answer(context, verdict, new Date());
      });
      last = { isClean, atMs: Date.now() };
    } catch (thrown) {
      if (context.signal.aborted) break;
      // A wrong setting does not mend itself.
      if (thrown instanceof CliError && thrown.exitCode === exitCodes.usage) throw thrown;
      last = undefined;
      metrics.failed();
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      context.output.note(`${new Date().toISOString()} no verdict: ${message}`);
    }
    const leftMs = Math.max(0, everyMs - (performance.now() - startedMs));
    await delay(leftMs, undefined, { signal: context.signal }).catch(() => undefined);
  }
  return exitCodes.done;
}

function answer(context: CliContext, verdict: Verdict, at?: Date): void {
  const time = at?.toISOString();
  context.output.answer(
    { ...(time === undefined ? {} : { time }), ...verdictToJson(verdict) },
    () => `${time === undefined ? '' : `${time} `}${verdictText(verdict)}`,
  );
}
