import { referenceChecks } from './reference-checks.ts';
import { declaredTopics } from '@outbound/contract';
import { walBudget } from '@outbound/service-kit';
import type pg from 'pg';
import { cliPrefix } from '../cli-prefix.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { readRelayStatus } from '../status/relay-status.ts';
import { SlotReader } from '../status/slot-status.ts';
import { readOutboxStatus } from '../status/source-status.ts';
import type { AddVerb } from '../verb.ts';
import { splitAddress } from './advertised-brokers.ts';
import { judgeBacklog, readBacklog, type Backlog } from './backlog-check.ts';
import { judgeClock, judgeDatabase, judgeOutbox } from './database-checks.ts';
import { readDatabaseFacts } from './database-facts.ts';
import { fault, ok, unknown, warning, type Finding, type Level } from './finding.ts';
import { kafkaChecks } from './kafka-checks.ts';
import { machineChecks } from './machine-checks.ts';
import { judgeMigrations, migrationFiles, type Migration } from './migration-checks.ts';
import { judgeRetainedLog } from './wal-check.ts';

/** `outbound doctor`: everything that commonly is not as it should be, each with its cure. */
export const addDoctor: AddVerb = (verb, bind) => {
  verb
    .option('--migrations <directory>', 'SQL files to compare the database with', 'migrations')
    .action(bind((context, { migrations }: { migrations: string }) => doctor(context, migrations)));
};

async function doctor(context: CliContext, migrations: string): Promise<ExitCode> {
  const { output, signal } = context;
  const parts = await Promise.all([
    machineChecks(process.versions.node, usedPorts(context)),
    databaseChecks(context, migrations),
    kafka(context),
    backlog(context),
    http(context, 'api', context.settings.apiUrl, 'OUTBOUND_API_URL', '/openapi.json'),
    relay(context),
  ]);
  signal.throwIfAborted();
  const findings = parts.flat();
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const summary = {
    ok: count('ok'),
    warnings: count('warning'),
    faults: count('fault'),
    unknown: count('unknown'),
  };
  output.answer({ ...summary, findings }, () =>
    [
      ...findings.map((finding) => findingText(finding, output.colors)),
      '',
      `${summary.faults} faults, ${summary.warnings} warnings, ${summary.unknown} unknown, ${summary.ok} as they should be`,
    ].join('\n'),
  );
  return summary.faults > 0 ? exitCodes.differs : exitCodes.done;
}

/** Two lines at the most: what was found, and below it what to do. */
export function findingText(
  { check, level, says, fix }: Finding,
  { green, yellow, red, dim }: CliContext['output']['colors'],
): string {
  const marks = {
    ok: green('ok     '),
    warning: yellow('warning'),
    fault: red('FAULT  '),
    unknown: dim('unknown'),
  };
  return `${marks[level]}  ${check}: ${says}${fix === undefined ? '' : `\n         → ${fix}`}`;
}

async function databaseChecks(context: CliContext, directory: string): Promise<readonly Finding[]> {
  const { settings } = context;
  if (settings.databaseUrl === undefined) return [notSet('postgres', 'OUTBOUND_DATABASE_URL')];
  const slot = new SlotReader(settings.slot, walBudget(settings, { prefix: cliPrefix }));
  try {
    const pool = await context.database();
    const beforeMs = Date.now();
    const facts = await readDatabaseFacts(pool, settings);
    const afterMs = Date.now();
    return [
      ...judgeDatabase(facts, settings),
      ...judgeRetainedLog(await slot.judge(pool)),
      judgeMigrations(migrationFiles(directory), await appliedMigrations(pool)),
      ...(facts.has_outbox ? [await outboxCheck(pool, new Date(facts.server_ms))] : []),
      ...(await referenceChecks(pool)),
      judgeClock(facts.server_ms - (beforeMs + afterMs) / 2, afterMs - beforeMs),
    ];
  } catch (error) {
    return [
      fault(
        'postgres',
        error instanceof Error ? error.message : String(error),
        'start Postgres, or correct OUTBOUND_DATABASE_URL',
      ),
    ];
  }
}

async function outboxCheck(pool: pg.Pool, now: Date): Promise<Finding> {
  try {
    return judgeOutbox(
      { ...(await readOutboxStatus(pool)), refuses_from: await readRefusal(pool) },
      now,
    );
  } catch (error) {
    return unknown(
      'outbox partitions',
      error instanceof Error ? error.message : String(error),
      'connect as outbound_operator',
    );
  }
}

/** From when on the default partition takes no rows. In a database before that migration it takes them all. */
async function readRefusal(pool: pg.Pool): Promise<Date | null> {
  return pool.query<{ refuses_from: Date }>('select refuses_from from outbox_default_bound').then(
    ({ rows }) => rows[0]?.refuses_from ?? null,
    () => null,
  );
}

async function appliedMigrations(pool: pg.Pool): Promise<readonly Migration[] | undefined> {
  return pool.query<Migration>('select name, checksum from schema_migration order by name').then(
    ({ rows }) => rows,
    () => undefined,
  );
}

async function kafka(context: CliContext): Promise<readonly Finding[]> {
  const { settings } = context;
  if (settings.kafkaBrokers === undefined) return [notSet('kafka', 'OUTBOUND_KAFKA_BROKERS')];
  const eventTypes = await context.eventTypes();
  try {
    return await kafkaChecks(context.kafka(), eventTypes.values());
  } catch (error) {
    return [
      fault(
        'kafka',
        error instanceof Error ? error.message : String(error),
        'set what the message names',
      ),
    ];
  }
}

/** Needs both sides; what is wrong with one of them, its own checks say. */
async function backlog(context: CliContext): Promise<readonly Finding[]> {
  const { settings } = context;
  if (settings.kafkaBrokers === undefined || settings.databaseUrl === undefined) return [];
  const prefixed = await context.eventTypes();
  try {
    const pool = await context.database();
    const admin = await openKafkaAdmin(context.kafka());
    try {
      const { rows } = await pool.query<{ now_ms: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms',
      );
      const nowMs = rows[0]?.now_ms ?? Date.now();
      const backlogs: Backlog[] = [];
      for (const { topic } of declaredTopics(prefixed.values())) {
        const types = [...prefixed.values()].filter(({ routes }) =>
          routes.some((route) => route.topic === topic),
        );
        const names = types.map(({ name }) => name);
        const found = await readBacklog(admin, pool, { topic, eventTypes: names, nowMs });
        if (found) backlogs.push(found);
      }
      return judgeBacklog(backlogs);
    } finally {
      await admin.close();
    }
  } catch (error) {
    return [unknown('backlog', error instanceof Error ? error.message : String(error))];
  }
}

async function relay(context: CliContext): Promise<readonly Finding[]> {
  const url = context.settings.relayAdminUrl;
  const findings = await http(context, 'relay', url, 'OUTBOUND_RELAY_ADMIN_URL', '/readyz');
  // What it knows of its partitions says nothing where it does not answer.
  const status = url && (await readRelayStatus(url, context.signal).catch(() => undefined));
  return status ? [...findings, ...judgeHistory(status.refuted_partitions)] : findings;
}

/** @param refuted partitions whose last record was not in the log. */
export function judgeHistory(refuted: number | null): readonly Finding[] {
  if (refuted === null || refuted === 0) return [];
  return [
    warning(
      'history',
      `${refuted} partitions hold events that this database does not have: it was brought back to an earlier state, or another server took its place`,
      'outbound verify --repair, when the relay has caught up (docs/restores.md)',
    ),
  ];
}

async function http(
  { signal }: CliContext,
  check: string,
  url: string | undefined,
  setting: string,
  path: string,
): Promise<readonly Finding[]> {
  if (url === undefined) return [notSet(check, setting)];
  const whole = `${url.replace(/\/$/, '')}${path}`;
  try {
    const response = await fetch(whole, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]),
    });
    return [judgeHttp(check, whole, response.status, setting)];
  } catch {
    return [fault(check, `does not answer at ${whole}`, `start it, or correct ${setting}`)];
  }
}

/** @param status of the answer; 503 is how a service says that it is not ready. */
export function judgeHttp(check: string, url: string, status: number, setting: string): Finding {
  if (status === 200) return ok(check, `answers at ${url}`);
  if (status === 503)
    return fault(
      check,
      `says at ${url} that it is not ready`,
      `read its answer there: curl ${url}`,
    );
  return fault(check, `answers ${status} at ${url}`, `correct ${setting}`);
}

function notSet(check: string, setting: string): Finding {
  return unknown(check, 'not looked at', `set ${setting}`);
}

function usedPorts({ settings }: CliContext): ReadonlySet<number> {
  const urls = [settings.databaseUrl, settings.apiUrl, settings.relayAdminUrl].flatMap((url) =>
    url === undefined ? [] : [Number(new URL(url).port)],
  );
  const brokers = (settings.kafkaBrokers ?? []).map((address) => splitAddress(address).port);
  return new Set([...urls, ...brokers]);
}
