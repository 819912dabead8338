import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readTopics, subscribe } from '@outbound/consumer';
import { deadLetterHeader, recordHeader } from '@outbound/contract';
import { quietLogger } from '@outbound/service-kit';
import { Kafka, logLevel } from 'kafkajs';
import { note, noteValue } from '../../../../packages/consumer/test-support/notes.ts';
import { eventually } from '../../../support/eventually.ts';
import { makeTopic } from '../../../support/make-topic.ts';
import { connectionTo } from '../../../support/read-topics.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** What nobody can read. */
function poison(): readonly (readonly [key: string, value: string])[] {
  return [
    ['version-2', noteValue('version-2', 1).replace('"1.0.0"', '"2.0.0"')],
    ['garbage', '\u0001\u0002 not JSON {'],
  ];
}

export const row: FaultRow = {
  number: 42,
  fault: 'consumer: snappy/zstd record, null value, unknown schema version, garbage bytes',
  expected:
    'every codec is read, no value is a deletion; the rest goes to the dead letters or stops the reader, as set; no offset is lost',
  seeds: 1,
  inCi: true,
  run: async ({ stack, say }) => {
    const { kafka } = await stack();
    const [topic, dead] = [`others-${randomUUID()}`, `dead-${randomUUID()}`];
    const admin = new Kafka({ brokers: kafka.directBootstrap, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      for (const each of [topic, dead]) await makeTopic(admin, { topic: each, numPartitions: 1 });
      const good: string[] = [];
      const writeGood = async (codec: string) => {
        good.push(codec);
        await produce(kafka.directBootstrap, topic, codec, codec, noteValue(codec, 1));
      };
      for (const codec of codecs) await writeGood(codec);
      // A record without a value says that its key is gone.
      good.push('no-value');
      await produce(kafka.directBootstrap, topic, 'none', 'no-value', null);
      const bad = poison();
      for (const [key, value] of bad)
        await produce(kafka.directBootstrap, topic, 'none', key, value);
      // What stands behind poison must come all the same.
      good.push('after');
      await produce(kafka.directBootstrap, topic, 'zstd', 'after', noteValue('after', 1));
      const records = good.length + bad.length;

      const member = (groupId: string, handled: string[], onPoison: 'stop' | 'dead-letter') =>
        subscribe({
          connection: connectionTo(kafka.directBootstrap),
          groupId,
          topic,
          eventType: note,
          log: quietLogger(),
          sessionTimeoutMs: 6_000,
          commitIntervalMs: 50,
          retry: { attempts: 2, baseMs: 5, maxMs: 20 },
          onPoison:
            onPoison === 'stop'
              ? { then: 'stop' }
              : { then: 'dead-letter', topic: dead, laterEvents: { policy: 'continue' } },
          handle: ({ key }) => void handled.push(key),
        });
      const committed = async (groupId: string) => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
        return Number(found?.partitions[0]?.offset ?? -1);
      };

      // As set: stop.
      const group = randomUUID();
      const first: string[] = [];
      const stopped = await member(group, first, 'stop');
      const stoppedBy = await stopped.done.then(
        () => 'nothing',
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      );
      const stoppedAt = await committed(group);
      say(`stop: ended by ${stoppedBy}, committed ${stoppedAt}, handled ${first.join(', ')}`);
      // The same group, set to go on: nothing that the stop left may be missing, and nothing from before it may be there again. What is
      // behind the unreadable one, of another key, may have been handled beside it, and then comes again.
      const rest: string[] = [];
      const next = await member(group, rest, 'dead-letter');
      await eventually(async () => (await committed(group)) === records, { timeoutMs: 60_000 });
      await next.stop();
      const letters: string[] = [];
      await readTopics({
        connection: connectionTo(kafka.directBootstrap),
        topics: [dead],
        until: 'end',
        onBatch: (batch) => {
          for (const { key, headers } of batch)
            letters.push(`${String(key)} ${headers[deadLetterHeader.code] ?? ''}`);
        },
      });
      say(`dead letters: ${letters.join(', ')}`);
      const handled = [...first, ...rest];
      const isWhole =
        [...new Set(handled)].toSorted().join() === good.toSorted().join() &&
        handled.filter((key) => key !== 'after').length === good.length - 1;
      return {
        bit: `${codecs.join(', ')}, one without a value, and ${bad.length} records that nobody can read; the reader ended by ${stoppedBy}, then ${letters.join(', ')}`,
        judged: [
          judged(
            'I1',
            isWhole,
            isWhole
              ? `${good.length} readable events handled, those before the stop once`
              : `handled ${handled.join(', ')} of ${good.join(', ')}`,
          ),
          judged(
            'I11',
            stoppedBy.startsWith('EVENT_') &&
              stoppedAt === good.length - 1 &&
              letters.length === bad.length,
            `stopped before offset ${stoppedAt}, ${letters.length} dead letters with their causes`,
          ),
        ],
      };
    } finally {
      await admin.disconnect();
    }
  },
};

/** Writes a record by kcat, which is nothing of ours and has every codec. A value of null is a record without one. */
async function produce(
  brokers: readonly string[],
  topic: string,
  codec: string,
  key: string,
  value: string | null,
): Promise<void> {
  const child = spawn(
    'kcat',
    [
      ...['-b', brokers.join(','), '-P', '-t', topic, '-p', '0', '-z', codec, '-K', ' '],
      ...['-H', `${recordHeader.type}=${note.name}`, ...(value === null ? ['-Z'] : [])],
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // What is empty behind the key becomes, by -Z, a record without a value.
  child.stdin.end(`${key} ${value ?? ''}\n`);
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`kcat could not write with ${codec}: ${said}`);
}
