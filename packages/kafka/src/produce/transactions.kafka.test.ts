import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { TopicDirectory } from '../cluster/topic-directory.ts';
import { Cluster } from '../cluster/cluster.ts';
import { readPartition } from '../reads/read-partition.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import { BatchProducer } from './batch-producer.ts';
import { fence } from './producer-identity.ts';
import { Transactions } from './transactions.ts';

const notLeader = 6;
const invalidProducerEpoch = 47;

let kafka: KafkaCluster;
let stranger: Stranger;
beforeAll(async () => {
  kafka = await startKafka({ brokers: 1 });
  stranger = new Stranger(kafka.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
});

/** A topic of one partition, a transactional id, and producers under it, each with a new epoch. */
async function rig() {
  const topic = await stranger.topic();
  const transactionalId = anyName('writer');
  const at = { topic, partition: 0 };
  const cluster = new Cluster(connectionTo(kafka.bootstrap), silentLog);
  onTestFinished(() => cluster.close());
  const directory = new TopicDirectory(cluster, [topic]);
  await eventually(async () => {
    await directory.refresh();
    return directory.leaderOf(topic, 0) >= 0;
  });
  const leader = directory.leaderOf(topic, 0);
  return {
    at,
    producer: async () => {
      const identity = await fence(cluster, transactionalId, 30_000);
      const transactions = new Transactions({
        ...{ cluster, transactionalId, identity, withinMs: 10_000 },
        signal: new AbortController().signal,
      });
      const batches = new BatchProducer({ identity, replicationTimeoutMs: 3000, transactionalId });
      return {
        transactions,
        write: async (key: string) => {
          const record = { key, value: null, headers: {}, timestampMs: Date.now() };
          const batch = { ...at, records: [record] };
          // A partition that was just made may have no leader yet.
          return eventually(async () => {
            const [outcome] = await batches.send(cluster.link(leader), [batch]);
            const code = outcome?.answer?.code ?? notLeader;
            return code !== notLeader && { code };
          });
        },
      };
    },
    read: async (last?: bigint) => {
      const keys: string[] = [];
      const isWhole = await readPartition(
        cluster,
        leader,
        at,
        (records) => keys.push(...records.map(({ key }) => String(key))),
        { last },
      );
      return { keys, isWhole };
    },
  };
}

it('shows a reader nothing before the commit, and everything after it', async () => {
  const { producer, read, at } = await rig();
  const one = await producer();
  await one.transactions.add([at]);
  expect(await one.write('a')).toEqual({ code: 0 });
  await expect(read()).rejects.toThrow('transaction is open');
  await one.transactions.commit();
  expect(await eventually(() => read())).toEqual({ keys: ['a'], isWhole: true });
});

it('takes the same commit twice, and the next transaction at once', async () => {
  const { producer, read, at } = await rig();
  const one = await producer();
  for (const key of ['a', 'b', 'c']) {
    await one.transactions.add([at]);
    await one.transactions.add([at]);
    expect(await one.write(key)).toEqual({ code: 0 });
    await one.transactions.commit();
    await one.transactions.commit();
  }
  expect((await eventually(() => read())).keys).toEqual(['a', 'b', 'c']);
});

it('aborts what an older epoch has left open before the newer one is given out, and refuses whatever it does then', async () => {
  const { producer, read, at } = await rig();
  const older = await producer();
  await older.transactions.add([at]);
  expect(await older.write('never')).toEqual({ code: 0 });
  const newer = await producer();
  // At once: nothing of the older one is open any more.
  expect(await read()).toEqual({ keys: [], isWhole: true });
  const fenced = { code: 'KAFKA_FENCED' };
  await expect(older.transactions.commit()).rejects.toMatchObject(fenced);
  await expect(older.transactions.add([at])).rejects.toMatchObject(fenced);
  expect(await older.write('late')).toEqual({ code: invalidProducerEpoch });
  await newer.transactions.add([at]);
  expect(await newer.write('again')).toEqual({ code: 0 });
  await newer.transactions.commit();
  expect((await eventually(() => read())).keys).toEqual(['again']);
});

it('refuses an older epoch in every partition that a transaction without records was over', async () => {
  const { producer, read, at } = await rig();
  const older = await producer();
  await older.transactions.add([at]);
  await older.transactions.commit();
  const newer = await producer();
  await newer.transactions.add([at]);
  await producer();
  expect(await older.write('late')).toEqual({ code: invalidProducerEpoch });
  expect((await read()).keys).toEqual([]);
});

it('reads the end of a partition by so many offsets, markers counted', async () => {
  const { producer, read, at } = await rig();
  const one = await producer();
  for (const key of ['a', 'b', 'c']) {
    await one.transactions.add([at]);
    await one.write(key);
    await one.transactions.commit();
  }
  expect(await eventually(() => read(4n))).toEqual({ keys: ['b', 'c'], isWhole: false });
  expect(await read(6n)).toEqual({ keys: ['a', 'b', 'c'], isWhole: true });
  expect(await read(100n)).toEqual({ keys: ['a', 'b', 'c'], isWhole: true });
});
