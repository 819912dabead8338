import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GroupMember, openKafkaReads, type TopicPartition } from '@outbound/kafka';
import { kafkaVersion, startProgram } from '@outbound/local-stack';
import { systemClock } from '@outbound/service-kit';
import { javaClassPath, loggingJavaCommand, slf4jBinding } from './java-program.ts';
import { pythonWithKafka } from './python-client.ts';

/** From when to when a member had a partition, ms since 1970; the end is undefined while it has it. */
export interface Holding {
  readonly partition: number;
  readonly fromMs: number;
  toMs: number | undefined;
}

/** A member of a shared group, of whatever make. */
export interface SharingMember extends AsyncDisposable {
  readonly make: Make;
  /** In the order of time. @throws Error with what it wrote, where that is something else. */
  holdings(): Promise<Holding[]>;
  /** Stops it; it leaves the group. */
  end(): Promise<void>;
  /** Ours only. */
  isLeader(): boolean;
}

export type Make = 'ours' | 'Java' | 'librdkafka';

interface Place {
  readonly bootstrap: string;
  readonly group: string;
  readonly topic: string;
}

/** Starts a member. @throws Error where Java or Python is missing. */
export async function startSharingMember(make: Make, place: Place): Promise<SharingMember> {
  if (make === 'ours') return startOurs(place);
  const args = [place.bootstrap, place.group, place.topic];
  const program = await startProgram({
    what: `${make} member of ${place.group}`,
    command: async (folder) =>
      make === 'Java'
        ? [
            ...(await loggingJavaCommand(folder)),
            '-cp',
            await classPath(),
            'SharingMember',
            ...args,
          ]
        : [await pythonWithKafka(), resolve('test/outsiders/sharing/sharing_member.py'), ...args],
  });
  return {
    make,
    holdings: async () => {
      const text = await readFile(join(program.folder, 'output.log'), 'utf8').catch(() => '');
      // The last line may be half written.
      return readHoldings(text.split('\n').slice(0, -1));
    },
    end: async () => program.end(),
    isLeader: () => false,
    [Symbol.asyncDispose]: async () => program.close(),
  };
}

async function classPath(): Promise<string> {
  return javaClassPath('test/outsiders/sharing/SharingMember.java', {
    name: `kafka-clients-${kafkaVersion}`,
    what: `Kafka's Java client ${kafkaVersion}`,
    artifacts: [['org.apache.kafka', 'kafka-clients', kafkaVersion], slf4jBinding],
  });
}

async function startOurs({ bootstrap, group, topic }: Place): Promise<SharingMember> {
  const said: string[] = [];
  const say = (_: object, message: string): void => void said.push(message);
  const logger = { info: say, warn: say, error: say };
  const reads = await openKafkaReads(
    {
      brokers: bootstrap.split(','),
      clientId: 'sharing-member',
      tls: undefined,
      sasl: undefined,
      connectTimeoutMs: 10_000,
      silenceLimitMs: 5000,
    },
    logger,
  );
  const lines: string[] = [];
  const tell = (word: string, partitions: readonly TopicPartition[]): void => {
    lines.push([word, Date.now(), ...partitions.map(({ partition }) => partition)].join(' '));
  };
  const member = new GroupMember({
    coordinator: reads.group(group),
    log: reads.log,
    clock: systemClock,
    random: Math.random,
    topics: [topic],
    startAt: 'beginning',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    heartbeatMs: 500,
    onAssigned: (partitions) => tell('assigned', partitions),
    onRevoked: (partitions) => Promise.resolve(tell('revoked', partitions)),
    onLost: (partitions) => tell('lost', partitions),
    onFailed: ({ message }) => lines.push(`failed: ${message}`),
    logger,
  });
  const stop = new AbortController();
  const done = member.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await done;
    await reads.close();
  };
  return {
    make: 'ours',
    holdings: () => Promise.resolve(readHoldings(lines)),
    end,
    isLeader: () => member.facts.isLeader,
    [Symbol.asyncDispose]: end,
  };
}

/** Of lines like `assigned 1700000000000 0 4`. */
function readHoldings(lines: readonly string[]): Holding[] {
  const holdings: Holding[] = [];
  for (const line of lines) {
    const [word, ...numbers] = line.split(' ');
    const [atMs = NaN, ...partitions] = numbers.map(Number);
    if (!['assigned', 'revoked'].includes(word ?? '') || numbers.some((one) => !/^\d+$/.test(one)))
      throw new Error(`a member says: ${lines.join('\n')}`);
    for (const partition of partitions)
      if (word === 'assigned') holdings.push({ partition, fromMs: atMs, toMs: undefined });
      else {
        const open = holdings.find((one) => one.partition === partition && one.toMs === undefined);
        if (!open) throw new Error(`a member gave up what it had not: ${lines.join('\n')}`);
        open.toMs = atMs;
      }
  }
  return holdings;
}
