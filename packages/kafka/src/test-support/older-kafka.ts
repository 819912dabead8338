import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  findJava,
  freePorts,
  jarSetClassPath,
  startProgram,
  type JarSet,
} from '@outbound/local-stack';
import { Cluster } from '../cluster/cluster.ts';
import { connectionTo, silentLog } from './test-topics.ts';

/** A broker of an older release, formatted by its own tool. */
export interface OlderKafka extends AsyncDisposable {
  readonly bootstrap: readonly string[];
}

const jarsOf = (version: string): JarSet => ({
  name: `kafka-${version}`,
  what: `Apache Kafka ${version}`,
  artifacts: [
    ['org.apache.kafka', 'kafka_2.13', version],
    ['org.slf4j', 'slf4j-reload4j', '1.7.36'],
  ],
});

/** Starts one broker of this release, from 3.0 on (KRaft), with these settings beside ours. @throws StackError where Maven or Java are missing. */
export async function startOlderKafka(
  version: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<OlderKafka> {
  const java = await findJava();
  if (!java) throw new Error('Kafka needs Java');
  const classPath = await jarSetClassPath(jarsOf(version));
  const [client = 0, controller = 0] = await freePorts(2);
  const program = await startProgram({
    what: `Kafka ${version}`,
    command: async (folder) => {
      const file = join(folder, 'server.properties');
      await mkdir(join(folder, 'data'));
      await writeFile(
        file,
        properties({ ...settingsOf(join(folder, 'data'), client, controller), ...settings }),
      );
      const options = [
        '-Xmx400m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-XX:-UsePerfData',
      ];
      const run = [...options, '-cp', classPath];
      // An id that began with a hyphen would be taken for an option.
      const clusterId = `A${randomBytes(16).toString('base64url').slice(1)}`;
      const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file];
      await promisify(execFile)(java.command, [...run, ...format]);
      return [java.command, ...run, 'kafka.Kafka', file];
    },
  });
  const bootstrap = [`127.0.0.1:${client}`];
  const cluster = new Cluster(connectionTo(bootstrap), silentLog);
  try {
    await program.untilReady(async () => (await cluster.describe([])).brokers.length === 1);
  } catch (error) {
    await program.close();
    throw error;
  } finally {
    cluster.close();
  }
  return { bootstrap, [Symbol.asyncDispose]: () => program.close() };
}

function settingsOf(logDir: string, client: number, controller: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': logDir,
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  };
}

function properties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
