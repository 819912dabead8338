import { randomUUID } from 'node:crypto';
import {
  GenericContainer,
  getContainerRuntimeClient,
  StartupCheckStrategy,
  type ContainerRuntimeClient,
  type StartedNetwork,
  type StartupStatus,
} from 'testcontainers';
import { StackError } from '../errors.ts';
import { pollUntil } from '../poll-until.ts';
import { startGuardian, type Guardian } from '../processes/guardian.ts';
import { once } from '../once.ts';

export interface ContainerSetup {
  /** What it is, for messages. */
  readonly what: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Ports inside, and where they are outside: fixed, so that they are the same after a restart. */
  readonly ports: readonly { readonly container: number; readonly host: number }[];
  readonly network?: { readonly network: StartedNetwork; readonly alias: string };
  /** A named volume, kept at the end, and its place inside. Without one the data is the container's and goes with it. */
  readonly volume?: { readonly name: string; readonly at: string };
}

type DockerContainer = ReturnType<ContainerRuntimeClient['container']['getById']>;

/** One container over all its runs. */
export interface Container {
  readonly id: string;
  readonly isRunning: () => Promise<boolean>;
  readonly start: () => Promise<void>;
  /** Sends the signal to the first process and waits for the end. @throws StackError at the deadline. */
  readonly end: (signal: string, timeoutMs: number) => Promise<{ durationMs: number }>;
  readonly kill: () => Promise<void>;
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
  readonly exec: (
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
  ) => Promise<{ stdout: string; stderr: string; exitCode: number }>;
  /** Asks until `ask` has an answer. @throws StackError with the end of the log, at once if the container ends before that. */
  readonly untilReady: (ask: () => Promise<boolean>, timeoutMs: number) => Promise<void>;
  /** Removed, with its anonymous volumes. */
  readonly remove: () => Promise<void>;
}

/** The address at which this Docker engine shows the ports of its containers. @throws StackError when none answers. */
export async function containerHost(): Promise<string> {
  return (await runtime()).info.containerRuntime.host;
}

async function runtime(): Promise<ContainerRuntimeClient> {
  return getContainerRuntimeClient().catch((error: unknown) => {
    throw new StackError(
      'no Docker engine answers: start it (systemctl start docker) or check DOCKER_HOST, or set OUTBOUND_STACK=processes',
      { cause: error },
    );
  });
}

/** Readiness is asked by the server's own protocol, and a container that ended is kept until its log is read: so testcontainers waits for nothing. */
class NoWait extends StartupCheckStrategy {
  override async checkStartupState(): Promise<StartupStatus> {
    return Promise.resolve('SUCCESS');
  }
}

/**
 * Creates and starts a container. testcontainers' own reaper ends it after our death; so does a guardian, as that reaper is an image of its own
 * and is switched off in many places.
 */
export async function startContainer(setup: ContainerSetup): Promise<Container> {
  const { what, image, ports, network, volume } = setup;
  const client = await runtime();
  const name = `outbound-${randomUUID()}`;
  const guardian = await startGuardian();
  // Twice, because a creation that was under way when we died may come after the first.
  await guardian.after(`docker rm -f -v ${name}; sleep 1; docker rm -f -v ${name}`);
  const container = new GenericContainer(image)
    .withName(name)
    .withEnvironment({ ...setup.environment })
    .withExposedPorts(...ports)
    .withWaitStrategy(new NoWait());
  if (setup.command) container.withCommand([...setup.command]);
  if (network) container.withNetwork(network.network).withNetworkAliases(network.alias);
  if (volume) container.withBindMounts([{ source: volume.name, target: volume.at }]);
  try {
    const started = await container.start();
    return containerOf(what, client, started.getId(), guardian);
  } catch (error) {
    const docker = client.container.dockerode.getContainer(name);
    await docker.remove({ force: true, v: true }).catch(() => undefined);
    await guardian.leave();
    throw new StackError(
      `${what} could not be started from the image ${image}: docker pull ${image}`,
      {
        cause: error,
      },
    );
  }
}

function containerOf(
  what: string,
  client: ContainerRuntimeClient,
  id: string,
  guardian: Guardian,
): Container {
  const docker = client.container.getById(id);
  const isRunning = async (): Promise<boolean> => (await docker.inspect()).State.Running;
  const ended = async (timeoutMs: number): Promise<void> => {
    await pollUntil(async () => !(await isRunning()), {
      what: `the end of ${what} (container ${id.slice(0, 12)})`,
      timeoutMs,
    });
  };
  const resume = async (): Promise<void> => {
    if ((await docker.inspect()).State.Paused) await docker.unpause();
  };
  const needsToRun = async (): Promise<void> => {
    if (!(await isRunning())) throw new StackError(`${what} is not running: start() it first`);
  };
  return {
    id,
    isRunning,
    start: async () => {
      if (await isRunning()) throw new StackError(`${what} is running already`);
      await docker.start();
    },
    end: async (signal, timeoutMs) => {
      await needsToRun();
      const start = performance.now();
      await docker.kill({ signal });
      await ended(timeoutMs);
      return { durationMs: performance.now() - start };
    },
    kill: async () => {
      await needsToRun();
      // A frozen container cannot take a signal.
      await resume();
      await docker.kill({ signal: 'SIGKILL' });
      await ended(30_000);
    },
    pause: async () => {
      await needsToRun();
      await docker.pause();
    },
    resume,
    exec: async (command, environment) =>
      client.container.exec(docker, [...command], { env: { ...environment } }),
    untilReady: async (ask, timeoutMs) => {
      let running = true;
      const ready = await pollUntil(
        async () => (await ask().catch(() => false)) || !(running = await isRunning()),
        { what, timeoutMs, intervalMs: 50 },
      ).catch(() => false);
      if (ready && running) return;
      const why = running ? `was not ready within ${timeoutMs} ms` : 'ended while it started';
      throw new StackError(`${what} ${why}. Its log ends with:\n${await logEnd(docker)}`);
    },
    remove: once(async () => {
      await docker.remove({ force: true, v: true });
      await guardian.leave();
    }),
  };
}

async function logEnd(docker: DockerContainer, lines = 15): Promise<string> {
  const log = await docker
    .logs({ stdout: true, stderr: true, tail: lines, follow: false })
    .catch(() => Buffer.from('(no log)'));
  // Docker frames each piece with eight bytes that are no text.
  return log
    .toString('utf8')
    .replaceAll(/[^\P{C}\n]/gu, '')
    .trim();
}

/** What a server in a container cannot tell. */
export function onlyAsProcess(what: string, id: string): never {
  throw new StackError(
    `${what} is inside the container ${id.slice(0, 12)} and not to be had from outside: use the form processes, or docker logs and docker top`,
  );
}
