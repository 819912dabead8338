import { chown, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PortTakenError, StackError } from '../../errors.ts';
import { freePorts } from '../../free-ports.ts';
import { answers, createDatabase, superuser } from '../../postgres-client.ts';
import { settingsFile, stopSignal } from '../../postgres-settings.ts';
import type { PostgresOptions, PostgresServer, StopMode } from '../../postgres-server.ts';
import { startGuardian, type Guardian } from '../guardian.ts';
import { demotion, unprivilegedAccount, type RunAs } from '../run-as.ts';
import { once } from '../../once.ts';
import { restartable, type Restartable } from '../restartable.ts';
import { launch, type ServerProcess } from '../server-process.ts';
import { postgresBinaries, type PostgresBinaries } from './binaries.ts';
import { removeSharedMemory } from './shared-memory.ts';
import { createDataDir, settingsFileName } from './template.ts';

const startTimeoutMs = 60_000;
const bindTries = 5;

interface Installation {
  readonly major: 15 | 18;
  readonly binaries: PostgresBinaries;
  readonly account: RunAs | undefined;
  readonly dataDir: string;
  readonly temporary: boolean;
  readonly settings: Readonly<Record<string, string>>;
  readonly guardian: Guardian;
}

/** Starts a Postgres as our own process. @throws StackError when it cannot start, with the end of its log. */
export async function startEmbeddedPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { major = 18, settings = {} } = options;
  const [binaries, account, guardian] = await Promise.all([
    postgresBinaries(major),
    unprivilegedAccount(),
    startGuardian(),
  ]);
  const temporary = options.dataDir === undefined;
  const dataDir = resolve(
    options.dataDir ?? (await guardian.temporaryFolder(`outbound-postgres-${major}-`)),
  );
  const installation = { major, binaries, account, dataDir, temporary, settings, guardian };
  try {
    await prepareDataDir(installation);
    return await firstStart(installation, options.port);
  } catch (error) {
    await cleanUp(installation);
    throw error;
  }
}

async function prepareDataDir({ major, binaries, account, dataDir }: Installation): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const found = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (found === undefined) await createDataDir(dataDir, major, binaries, account);
  else if (found.trim() !== String(major))
    throw new StackError(
      `${dataDir} holds data of Postgres ${found.trim()}, not ${major}: choose another folder or delete it`,
    );
  else if (account && (await stat(dataDir)).uid !== account.uid)
    throw new StackError(
      `${dataDir} belongs to another user than ${account.name}, who runs Postgres for root: chown -R ${account.name} ${dataDir}`,
    );
}

/** A port that was free when we looked can be taken when the server binds it: then another is tried, unless the caller chose it. */
async function firstStart(
  installation: Installation,
  wanted: number | undefined,
): Promise<PostgresServer> {
  for (let tries = 1; ; tries++) {
    const port = wanted ?? (await freePorts(1))[0] ?? 0;
    const process = restartable(`Postgres on port ${port}`, async () => run(installation, port));
    try {
      await process.start();
      return serverOn(installation, port, process);
    } catch (error) {
      const retry = wanted === undefined && tries < bindTries;
      if (retry && error instanceof PortTakenError) continue;
      throw error;
    }
  }
}

const logFileOf = ({ dataDir }: Installation): string => join(dataDir, 'outbound.log');

async function run(installation: Installation, port: number): Promise<ServerProcess> {
  const { major, binaries, account, dataDir, settings, guardian, temporary } = installation;
  const settingsPath = join(dataDir, settingsFileName);
  await writeFile(settingsPath, settingsFile(port, settings), { mode: 0o600 });
  const logFile = logFileOf(installation);
  await (await open(logFile, 'a', 0o600)).close();
  if (account)
    for (const path of [settingsPath, logFile]) await chown(path, account.uid, account.gid);
  const server = await launch({
    what: `Postgres ${major}`,
    command: [binaries.postgres, '-D', dataDir],
    cwd: dataDir,
    env: { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C', PGTZ: 'UTC' },
    logFile,
    demotion: await demotion(account, [binaries.postgres, settingsPath]),
    guardian,
    lastSignal: temporary ? 'QUIT' : 'INT',
    graceSeconds: temporary ? 5 : 15,
  });
  await server.untilReady(async () => answers(urlOf(port), dataDir), startTimeoutMs);
  return server;
}

const urlOf = (port: number): string =>
  `postgres://${superuser.name}:${superuser.password}@127.0.0.1:${port}/postgres`;

async function cleanUp({ temporary, dataDir, guardian }: Installation): Promise<void> {
  if (temporary) {
    await removeSharedMemory(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  }
  await guardian.leave();
}

function serverOn(installation: Installation, port: number, server: Restartable): PostgresServer {
  const { major, dataDir, temporary } = installation;
  const stop = async (mode: StopMode = 'fast', { timeoutMs = 60_000 } = {}) =>
    server.process().end(stopSignal[mode], timeoutMs);
  const close = once(async () => {
    server.retire();
    if (server.isRunning()) {
      await server.resume();
      // Nobody will read temporary data again; the shutdown of kept data gets its time.
      const mode = temporary ? 'immediate' : 'fast';
      await stop(mode, { timeoutMs: 15_000 }).catch(server.kill);
    }
    await cleanUp(installation);
  });
  return {
    form: 'processes',
    major,
    url: urlOf(port),
    port,
    dataDir,
    logFile: logFileOf(installation),
    get pid() {
      return server.process().pid;
    },
    createDatabase: async (name, template) => createDatabase(urlOf(port), name, template),
    stop,
    kill: server.kill,
    start: server.start,
    pause: server.pause,
    resume: server.resume,
    close,
    [Symbol.asyncDispose]: close,
  };
}
