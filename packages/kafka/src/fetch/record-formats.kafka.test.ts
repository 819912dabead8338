import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../admin/kafka-admin.ts';
import type { KafkaReads } from '../ports/kafka-reads.ts';
import { openKafkaReads } from '../reads/open-kafka-reads.ts';
import { startOlderKafka, type OlderKafka } from '../test-support/older-kafka.ts';
import { anyName, connectionTo, silentLog } from '../test-support/test-topics.ts';
import { decodeRecords } from './decode-records.ts';

const formatAt = 16;
const attributesAt = (magic: number) => (magic === 2 ? 22 : 17);
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
/** librdkafka writes message sets itself where it is told that no broker is newer. */
const asBefore011 = ['-X', 'api.version.request=false', '-X', 'broker.version.fallback=0.10.0'];
const count = 500;
/** On a busy machine it would send single records, and those it does not compress where that makes them no smaller. */
const fullBatches = ['-X', 'batch.num.messages=100', '-X', 'linger.ms=1000'];
const line = (index: number) => `k${index % 7}:value ${index} ä ${'x'.repeat(index % 90)}`;

/** Kafka before 3.0 wrote what a topic's `message.format.version` said; a broker that is told to speak as such a one still does. */
describe('records, as a broker of before Kafka 3.0 keeps and hands them out,', () => {
  let kafka: OlderKafka;
  let admin: KafkaAdmin;
  let reads: KafkaReads;
  beforeAll(async () => {
    kafka = await startOlderKafka('3.0.2', { 'inter.broker.protocol.version': '2.8' });
    admin = await openKafkaAdmin(connectionTo(kafka.bootstrap), silentLog);
    reads = await openKafkaReads(connectionTo(kafka.bootstrap), silentLog);
  });
  afterAll(async () => {
    await admin.close();
    await reads.close();
    await kafka[Symbol.asyncDispose]();
  });

  async function write(topic: string, codec: string, settings: readonly string[]): Promise<void> {
    const args = ['-b', kafka.bootstrap.join(','), '-P', '-t', topic, '-p', '0', '-K', ':'];
    const kcat = spawn('kcat', [...args, '-z', codec, ...fullBatches, ...settings], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    kcat.stdin.end(Array.from({ length: count }, (_, index) => `${line(index)}\n`).join(''));
    const [code] = (await once(kcat, 'close')) as [number];
    if (code !== 0) throw new Error(`kcat ended with ${code}`);
  }

  it.each([
    ['0.9.0', 0, 'none', 'today'],
    ['0.9.0', 0, 'gzip', 'today'],
    ['0.9.0', 0, 'snappy', 'today'],
    ['0.10.0', 1, 'none', 'today'],
    ['0.10.0', 1, 'gzip', 'today'],
    ['0.10.0', 1, 'snappy', 'today'],
    ['0.10.0', 1, 'lz4', 'today'],
    ['0.10.0', 1, 'gzip', 'then'],
    ['0.10.0', 1, 'snappy', 'then'],
    ['0.10.0', 1, 'lz4', 'then'],
    ['2.8', 2, 'none', 'today'],
    ['2.8', 2, 'gzip', 'today'],
    ['2.8', 2, 'snappy', 'today'],
    ['2.8', 2, 'lz4', 'today'],
    ['2.8', 2, 'zstd', 'today'],
  ] as const)(
    'are read in the format of %s (%i) with %s, by a client of %s',
    async (formatVersion, magic, codec, client) => {
      const topic = anyName('topic');
      const configs = { 'message.format.version': formatVersion };
      await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, configs }]);
      await eventually(async () => (await reads.log.topics([topic]))[0]?.errorCode === 0);
      const writtenAtMs = Date.now();
      await write(topic, codec, client === 'then' ? asBefore011 : []);

      const texts: string[] = [];
      let position = 0n;
      while (position < BigInt(count)) {
        const [fetched] = await reads.log.fetch(1, {
          positions: [{ topic, partition: 0, offset: position, leaderEpoch: -1 }],
          maxWaitMs: 1000,
          ...{ minBytes: 1, maxBytes: 8000, maxBytesPerPartition: 8000 },
        });
        if (!fetched) throw new Error('the answer has no partition');
        const { recordSet } = fetched;
        const attributes = recordSet.readUInt8(attributesAt(magic));
        expect(fetched.errorCode).toBe(0);
        expect([recordSet[formatAt], codecs[attributes & 7]]).toEqual([magic, codec]);
        const { records, next } = decodeRecords(fetched, position);
        expect(next).toBeGreaterThan(position);
        for (const record of records) {
          expect(record.offset).toBe(BigInt(texts.length));
          texts.push(`${record.key?.toString()}:${record.value?.toString()}`);
          if (magic === 0) expect(record.timestampMs).toBe(-1);
          else expect(Math.abs(record.timestampMs - writtenAtMs)).toBeLessThan(60_000);
        }
        position = next;
      }
      expect(texts).toEqual(Array.from({ length: count }, (_, index) => line(index)));
    },
  );
});
