import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { ok, warning, type Finding } from './finding.ts';

const run = promisify(execFile);

/** What `docker compose up` listens on. */
const composePorts = [
  ['Postgres', 5432],
  ['Kafka', 9092],
  ['API', 8080],
  ["API's admin port", 8081],
  ["relay's admin port", 8082],
] as const;

/**
 * What this machine has for running the pipeline on it. None of it is needed for a pipeline elsewhere: hence warnings
 * at the most.
 * @param usedPorts where the settings look: taken ports among them are no trouble.
 */
export async function machineChecks(
  nodeVersion: string,
  usedPorts: ReadonlySet<number>,
): Promise<readonly Finding[]> {
  const [java, docker, ...ports] = await Promise.all([
    said('java', ['-version']),
    said('docker', ['info', '--format', '{{.ServerVersion}}']),
    ...composePorts.map(([, port]) => isTaken(port)),
  ]);
  return [
    judgeNode(nodeVersion),
    judgeJava(java),
    docker === undefined
      ? warning(
          'docker',
          'no Docker engine answers',
          'install Docker or start it for docker compose up; npm start works without it where Java is',
        )
      : ok('docker', `engine ${docker.trim()} answers`),
    judgePorts(
      composePorts.filter(([, port], index) => ports[index] === true && !usedPorts.has(port)),
    ),
  ];
}

/** @param version as in `process.versions.node`. */
export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19)
    ? ok('node', `Node ${version}`)
    : warning('node', `Node ${version} is too old`, 'install Node 20.19 or later');
}

/** @param text what `java -version` prints; undefined if there is none. */
export function judgeJava(text: string | undefined): Finding {
  const fix = 'install Java 17 or later for npm start; docker compose up works without it';
  if (text === undefined) return warning('java', 'no Java is there', fix);
  const [, first = '', second = ''] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  const major = Number(first === '1' ? second : first);
  return major >= 17
    ? ok('java', `Java ${major}`)
    : warning('java', `Java ${major || 'of an unknown version'} is too old`, fix);
}

/** @param taken ports of the compose file that something else listens on. */
export function judgePorts(taken: readonly (readonly [string, number])[]): Finding {
  if (taken.length === 0) return ok('ports', 'no other program has the ports of docker compose');
  return warning(
    'ports',
    `something listens on ${taken.map(([name, port]) => `${port} (${name})`).join(', ')}`,
    'if that is not this pipeline, stop it, or set POSTGRES_PORT, KAFKA_PORT, API_PORT … for docker compose; npm start looks for free ports',
  );
}

async function said(command: string, args: readonly string[]): Promise<string | undefined> {
  return run(command, [...args], { timeout: 10_000 }).then(
    // Java writes its version to standard error.
    ({ stdout, stderr }) => stdout || stderr,
    () => undefined,
  );
}

async function isTaken(port: number): Promise<boolean> {
  return canConnect('127.0.0.1', port).then((why) => why === undefined);
}

/** Why no connection can be made; undefined if one can. */
export function canConnect(
  host: string,
  port: number,
  timeoutMs = 3000,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (why: string | undefined) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(timeoutMs, () => end(`no answer in ${timeoutMs / 1000} s`));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
