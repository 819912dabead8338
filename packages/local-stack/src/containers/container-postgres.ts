import { StackError } from '../errors.ts';
import { freePorts } from '../free-ports.ts';
import { once } from '../once.ts';
import { answers, createDatabase, superuser } from '../postgres-client.ts';
import { defaultSettings, stopSignal } from '../postgres-settings.ts';
import type { PostgresOptions, PostgresServer, StopMode } from '../postgres-server.ts';
import { containerHost, onlyAsProcess, startContainer } from './container.ts';
import { volumeName } from './volume.ts';

const insidePort = 5432;
const startTimeoutMs = 120_000;

/** Where the image keeps its data. Since 18 the volume is one level up. Source: docker-library/postgres. */
const places = {
  15: { dataDir: '/var/lib/postgresql/data', volume: '/var/lib/postgresql/data' },
  18: { dataDir: '/var/lib/postgresql/18/docker', volume: '/var/lib/postgresql' },
} as const;

/** Starts the official image. @throws StackError with the end of its log when it cannot start. */
export async function startContainerPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { major = 18, settings = {} } = options;
  const host = await containerHost();
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const what = `Postgres ${major} on port ${port}`;
  const { dataDir, volume } = places[major];
  // On the command line, so in this form ALTER SYSTEM does not override them.
  const all = Object.entries({ ...defaultSettings, ...settings, listen_addresses: '*' });
  const container = await startContainer({
    what,
    image: `postgres:${major}`,
    command: ['postgres', ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    environment: { POSTGRES_USER: superuser.name, POSTGRES_PASSWORD: superuser.password },
    ports: [{ container: insidePort, host: port }],
    ...(options.dataDir !== undefined && {
      volume: { name: volumeName(options.dataDir, `postgres-${major}`), at: volume },
    }),
  });
  const url = `postgres://${superuser.name}:${superuser.password}@${host}:${port}/postgres`;
  const ready = async (): Promise<void> =>
    container.untilReady(async () => answers(url, dataDir), startTimeoutMs);
  const close = once(async () => {
    if (options.dataDir !== undefined && (await container.isRunning())) {
      await container.resume();
      await container.end(stopSignal.fast, 15_000).catch(container.kill);
    }
    await container.remove();
  });
  await ready().catch(async (error: unknown) => {
    await container.remove();
    throw error;
  });
  let closed = false;
  return {
    form: 'containers',
    major,
    url,
    port,
    dataDir,
    get logFile() {
      return onlyAsProcess('the log of Postgres', container.id);
    },
    get pid() {
      return onlyAsProcess('the pid of Postgres', container.id);
    },
    createDatabase: async (name, template) => createDatabase(url, name, template),
    stop: async (mode: StopMode = 'fast', { timeoutMs = 60_000 } = {}) =>
      container.end(stopSignal[mode], timeoutMs),
    kill: container.kill,
    start: async () => {
      if (closed) throw new StackError(`${what} was closed for good: start a new one`);
      await container.start();
      await ready();
    },
    pause: container.pause,
    resume: container.resume,
    close: async () => {
      closed = true;
      await close();
    },
    [Symbol.asyncDispose]: close,
  };
}
