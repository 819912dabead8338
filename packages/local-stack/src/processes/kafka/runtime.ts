import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newKafkaId } from '../../kafka-id.ts';
import { StackError } from '../../errors.ts';
import { freePorts } from '../../free-ports.ts';
import { decideForm } from '../../stack-form.ts';
import { cached } from '../cache.ts';
import type { Guardian } from '../guardian.ts';
import { launch } from '../server-process.ts';
import { brokerProperties, propertiesText } from '../../broker-properties.ts';
import { hasMaven, findJava, type Java } from './java.ts';
import { jarsAreCached, kafkaClassPath } from './jars.ts';
import { brokerLogging, toolLogging } from './logging.ts';
import { clusterView } from '../../metadata-probe.ts';
import { local, localListeners } from './local-listeners.ts';
import { formatLogDir } from './storage.ts';

/** All that brokers and tools of one Kafka version and one Java build share. */
export interface KafkaRuntime {
  readonly java: string;
  readonly classPath: string;
  /** Options that load Kafka's classes from an archive: a broker is up in 1 s instead of 2 s. Empty where this Java cannot. */
  readonly archive: readonly string[];
  /** The bootstrap records of a fresh log folder. */
  readonly bootstrapCheckpoint: string;
  readonly brokerLogging: string;
  readonly toolLogging: string;
}

/** Compiles little, collects simply: what starts fastest on two cores. */
export const quickStart = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'] as const;

/** Keeps the JVM's own files out of the shared temporary folder, where a SIGKILL would leave them. */
export const tidyJvm = (folder: string): string[] => [
  '-XX:-UsePerfData',
  `-Djava.io.tmpdir=${folder}`,
];

/** Finds Java and makes what is cached if it is not. @throws StackError saying what to install. */
export async function kafkaRuntime(log: (line: string) => void): Promise<KafkaRuntime> {
  const java = await findJava();
  const jarsCached = await jarsAreCached();
  const maven = jarsCached || (await hasMaven());
  decideForm('processes', { javaMajor: java?.major, jarsCached, maven, docker: false });
  if (!java) throw new StackError('Kafka needs Java');
  const classPath = await kafkaClassPath(log);
  const folder = await preparedFolder(java, classPath, log);
  const archiveFile = join(folder, archiveName);
  const hasArchive = await stat(archiveFile).then(
    () => true,
    () => false,
  );
  return {
    java: java.command,
    classPath,
    archive: hasArchive
      ? [`-XX:SharedArchiveFile=${archiveFile}`, '-Xlog:disable', '-Xlog:all=error:stderr']
      : [],
    bootstrapCheckpoint: join(folder, checkpointName),
    brokerLogging: join(folder, 'broker-log4j2.properties'),
    toolLogging: join(folder, 'tool-log4j2.properties'),
  };
}

const archiveName = 'kafka.jsa';
const checkpointName = 'bootstrap.checkpoint';

async function preparedFolder(
  java: Java,
  classPath: string,
  log: (line: string) => void,
): Promise<string> {
  const made = createHash('sha256')
    .update(
      JSON.stringify([java.description, process.arch, classPath, brokerLogging, toolLogging, 1]),
    )
    .digest('hex')
    .slice(0, 12);
  return cached(`kafka-prepared-${made}`, async (draft, guardian) => {
    log('preparing Kafka for fast starts (once)');
    await writeFile(join(draft, 'broker-log4j2.properties'), brokerLogging);
    await writeFile(join(draft, 'tool-log4j2.properties'), toolLogging);
    const work = await guardian.temporaryFolder('outbound-kafka-prepare-');
    try {
      await format(java, classPath, work, join(draft, checkpointName));
      await archiveClasses(java, classPath, draft, work, guardian).catch((error: unknown) => {
        log(
          `starts stay slower, this Java keeps no class archive: ${String(error).split('\n')[0]}`,
        );
      });
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** One node on free ports, in `work`. */
async function nodeIn(work: string, logDir: string): Promise<{ file: string; brokerPort: number }> {
  const [client = 0, broker = 0, controller = 0] = await freePorts(3);
  const { listeners, voter } = localListeners({ client, broker, controller });
  const voters = new Map([[1, voter]]);
  const properties = brokerProperties({ nodeId: 1, voters, listeners, logDir, settings: {} });
  const file = join(work, 'server.properties');
  await writeFile(file, propertiesText(properties));
  return { file, brokerPort: broker };
}

/** Lets Kafka's own tool format a folder and keeps the bootstrap records that it wrote. */
async function format(java: Java, classPath: string, work: string, to: string): Promise<void> {
  const logDir = join(work, 'formatted');
  const { file } = await nodeIn(work, logDir);
  const main = ['kafka.tools.StorageTool', 'format', '-t', newKafkaId(), '-c', file];
  await promisify(execFile)(java.command, [
    ...quickStart,
    ...tidyJvm(work),
    '-cp',
    classPath,
    ...main,
  ]).catch((error: unknown) => {
    throw new StackError(`Kafka's storage tool failed: ${String(error)}`, { cause: error });
  });
  await copyFile(join(logDir, checkpointName), to);
}

/** Runs a broker once and lets the JVM write down the classes that it loaded (JEP 350). */
async function archiveClasses(
  java: Java,
  classPath: string,
  draft: string,
  work: string,
  guardian: Guardian,
): Promise<void> {
  const logDir = join(work, 'data');
  await mkdir(logDir);
  const { file, brokerPort } = await nodeIn(work, logDir);
  await formatLogDir(logDir, {
    nodeId: 1,
    clusterId: newKafkaId(),
    bootstrapCheckpoint: join(draft, checkpointName),
  });
  const broker = await launch({
    what: 'Kafka, to archive its classes,',
    command: [
      java.command,
      ...quickStart,
      ...tidyJvm(work),
      '-Xmx512m',
      `-XX:ArchiveClassesAtExit=${join(draft, archiveName)}`,
      `-Dlog4j2.configurationFile=${join(draft, 'broker-log4j2.properties')}`,
      '-cp',
      classPath,
      'kafka.Kafka',
      file,
    ],
    cwd: work,
    env: process.env,
    logFile: join(work, 'kafka.log'),
    guardian,
    lastSignal: 'TERM',
    graceSeconds: 0,
  });
  await broker.untilReady(
    async () => (await clusterView(local(brokerPort))).aliveNodes.includes(1),
    60_000,
  );
  await broker.end('SIGTERM', 60_000);
}
