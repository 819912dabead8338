import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { Stranger } from '../test-support/test-topics.ts';
import { transactionalRig } from '../test-support/transactional-rig.ts';

const invalidProducerEpoch = 47;

let kafka: KafkaCluster;
let stranger: Stranger;
beforeAll(async () => {
  kafka = await startKafka({
    brokers: 1,
    settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200' },
  });
  stranger = new Stranger(kafka.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
});

const rig = async () => transactionalRig(kafka.bootstrap, await stranger.topic());

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

it('ends an open transaction by taking its own epoch away, so that readers go on, and what arrives late is refused', async () => {
  const { producer, read, at } = await rig();
  const one = await producer();
  await one.transactions.add([at]);
  expect(await one.write('never')).toEqual({ code: 0 });
  await one.transactions.retire([at], 5000);
  expect(await eventually(() => read())).toEqual({ keys: [], isWhole: true });
  expect(await one.write('late')).toEqual({ code: invalidProducerEpoch });
  expect(await read()).toEqual({ keys: [], isWhole: true });
});

it('tells an epoch that the coordinator took away by time from one that a newer producer fenced', async () => {
  const { producer, at } = await rig();
  const one = await producer(1000);
  await one.transactions.add([at]);
  await eventually(() => one.transactions.wasAbortedByTime(), { timeoutMs: 60_000 });
  await expect(one.transactions.commit()).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
  expect(await one.write('late')).toEqual({ code: invalidProducerEpoch });
  expect(await one.transactions.wasAbortedByTime()).toBe(true);
  const newer = await producer();
  expect(await one.transactions.wasAbortedByTime()).toBe(false);
  await newer.transactions.add([at]);
  expect(await one.transactions.wasAbortedByTime()).toBe(false);
  // Nor is it one when that one has ended, and its own transaction was aborted.
  await newer.transactions.retire([at], 10_000);
  await eventually(() => newer.transactions.wasAbortedByTime(), { timeoutMs: 60_000 });
  expect(await one.transactions.wasAbortedByTime()).toBe(false);
});

it('asks the coordinator which partitions a transaction is still over', async () => {
  const { producer, explain, at } = await rig();
  const one = await producer();
  expect(await explain()).toBe('the question: CONCURRENT_TRANSACTIONS');
  await one.transactions.add([at]);
  expect(await explain()).toContain(`(Ongoing), and ${at.topic}/0 has not taken its end`);
});

it('ends nothing of a newer producer, and does not fence it', async () => {
  const { producer, read, at } = await rig();
  const older = await producer();
  await older.transactions.add([at]);
  const newer = await producer();
  await newer.transactions.add([at]);
  expect(await newer.write('a')).toEqual({ code: 0 });
  await older.transactions.retire([at], 5000);
  expect(await newer.write('b')).toEqual({ code: 0 });
  await newer.transactions.commit();
  expect((await eventually(() => read())).keys).toEqual(['a', 'b']);
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
