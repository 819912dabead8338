import { startKafka, type KafkaCluster } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import type { FetchPosition } from '../ports/topic-log.ts';
import { anyName, connectionTo, silentLog, Stranger } from '../test-support/test-topics.ts';
import { Cluster } from '../cluster/cluster.ts';
import { openKafkaReads } from './open-kafka-reads.ts';
import { readPartition } from './read-partition.ts';

let kafka: KafkaCluster;
let stranger: Stranger;
beforeAll(async () => {
  // The broker would create topics by itself: that none appears is up to us (trap 3.2-13).
  kafka = await startKafka({ brokers: 1, settings: { 'auto.create.topics.enable': 'true' } });
  stranger = new Stranger(kafka.bootstrap);
});
afterAll(async () => {
  await stranger.close();
  await kafka.close();
});

async function opened(over: Parameters<typeof connectionTo>[1] = {}) {
  const reads = await openKafkaReads(connectionTo(kafka.bootstrap, over), silentLog);
  onTestFinished(async () => reads.close());
  return reads.log;
}

const wish = { maxWaitMs: 500, minBytes: 1, maxBytes: 1_000_000, maxBytesPerPartition: 500_000 };
const at = (topic: string, offset: bigint, over: Partial<FetchPosition> = {}): FetchPosition => ({
  topic,
  partition: 0,
  offset,
  leaderEpoch: -1,
  ...over,
});

describe('topics', () => {
  it('gives each topic with its id, its leaders and their epochs, and Kafka’s code for one that is not there, creating none', async () => {
    const log = await opened();
    const topic = await stranger.topic(3);
    const missing = anyName('missing');
    const [none, found] = await eventually(async () => {
      const facts = await log.topics([missing, topic]);
      return facts[1]?.errorCode === 0 && facts;
    });
    expect(none).toEqual({ topic: missing, topicId: undefined, errorCode: 3, partitions: [] });
    expect(found).toEqual({
      topic,
      topicId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      errorCode: 0,
      partitions: [0, 1, 2].map((partition) => ({
        partition,
        leader: 1,
        leaderEpoch: 0,
        replicas: [1],
      })),
    });
    const listed = await kafka.tool('topics', ['--list']);
    expect(listed.stdout).toContain(topic);
    expect(listed.stdout).not.toContain(missing);
  });

  it('gives another id to a topic that was made again', async () => {
    const log = await opened();
    const topic = await stranger.topic();
    const idOf = async () => (await log.topics([topic]))[0]?.topicId;
    const before = await eventually(idOf);
    await stranger.delete(topic);
    await eventually(async () => (await log.topics([topic]))[0]?.errorCode === 3);
    await stranger.make(topic);
    const after = await eventually(idOf);
    expect(after).not.toBe(before);
  });
});

describe('offsets', () => {
  it('tells the first record, both ends, and the first record from a time on', async () => {
    const log = await opened();
    const topic = await stranger.topic();
    await stranger.write(topic, ['a', 'b', 'c']);
    const open = await stranger.begin(topic, ['d', 'e']);
    await log.topics([topic]);
    const offset = async (what: Parameters<typeof log.offsets>[2]) =>
      (await log.offsets(1, [{ topic, partition: 0 }], what))[0];
    expect(await offset('earliest')).toEqual({ topic, partition: 0, errorCode: 0, offset: 0n });
    expect(await offset('end')).toMatchObject({ offset: 5n });
    expect(await offset('stable-end')).toMatchObject({ offset: 3n });
    expect(await offset({ timeMs: stranger.firstTimeMs + 500 })).toMatchObject({ offset: 1n });
    expect(await offset({ timeMs: 4_000_000_000_000 })).toMatchObject({
      errorCode: 0,
      offset: -1n,
    });
    await open.abort();
    // Behind the marker of the abort.
    await eventually(async () => (await offset('stable-end'))?.offset === 6n);
  });

  it('gives an entry for each partition, with Kafka’s code for one that is not led there', async () => {
    const log = await opened();
    const topic = await stranger.topic();
    await log.topics([topic]);
    const answers = await log.offsets(
      1,
      [
        { topic, partition: 7 },
        { topic, partition: 0 },
      ],
      'end',
    );
    expect(answers.map(({ partition, errorCode }) => [partition, errorCode])).toEqual([
      [7, 3],
      [0, 0],
    ]);
  });

  it('does not know a broker that the cluster has not named', async () => {
    const log = await opened();
    await expect(log.offsets(9, [], 'end')).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      message: 'no broker with node id 9 is known',
    });
  });
});

describe('fetch', () => {
  it.each([
    ['by the name', false],
    ['by the id', true],
  ])(
    'gives the stored bytes with every bound that a reader needs, and the aborted transactions: %s',
    async (_by, hasId) => {
      const log = await opened();
      const topic = await stranger.topic();
      await stranger.write(topic, ['a', 'b']);
      const aborted = await stranger.begin(topic, ['gone']);
      await aborted.abort();
      const [facts] = await log.topics([topic]);
      const positions = [at(topic, 1n, { topicId: hasId ? facts?.topicId : undefined })];
      const fetched = await eventually(async () => {
        const [answer] = await log.fetch(1, { ...wish, positions });
        return answer?.aborted.length === 1 && answer;
      });
      expect(fetched).toMatchObject({
        ...{ topic, partition: 0, errorCode: 0 },
        ...{ highWatermark: 4n, lastStableOffset: 4n, logStartOffset: 0n },
      });
      expect(fetched.aborted.map(({ firstOffset }) => firstOffset)).toEqual([2n]);
      expect(fetched.recordSet.includes('value of b')).toBe(true);
      const open = await stranger.begin(topic, ['undecided']);
      onTestFinished(async () => open.abort());
      const [held] = await log.fetch(1, { ...wish, positions });
      expect(held).toMatchObject({ highWatermark: 5n, lastStableOffset: 4n });
      expect(held?.recordSet.includes('undecided')).toBe(false);
    },
  );

  it('keeps the order of the request, in which a broker fills its answer', async () => {
    const log = await opened();
    const [a, b] = [await stranger.topic(2), await stranger.topic()];
    await stranger.write(a, ['x'.repeat(400)], 0);
    await stranger.write(a, ['y'.repeat(400)], 1);
    await stranger.write(b, ['z'.repeat(400)]);
    const ids = (await log.topics([a, b])).map(({ topicId }) => topicId);
    for (const [idOfA, idOfB] of [[], ids]) {
      const positions = [
        at(a, 0n, { partition: 1, topicId: idOfA }),
        at(b, 0n, { topicId: idOfB }),
        at(a, 0n, { topicId: idOfA }),
      ];
      const answers = await log.fetch(1, { ...wish, maxBytes: 1, positions });
      const full = answers.filter(({ recordSet }) => recordSet.length > 0);
      expect(full.map(({ topic, partition }) => [topic, partition])).toEqual([[a, 1]]);
    }
  });

  it.each([
    ['OFFSET_OUT_OF_RANGE', 1, { offset: 99n }],
    ['UNKNOWN_TOPIC_OR_PARTITION', 3, { partition: 5 }],
    ['UNKNOWN_LEADER_EPOCH', 75, { leaderEpoch: 40 }],
    ['UNKNOWN_TOPIC_ID', 100, { topicId: '0123456789abcdef0123456789abcdef' }],
  ])('keeps Kafka’s own code: %s', async (_name, errorCode, over) => {
    const log = await opened();
    const topic = await stranger.topic();
    await stranger.write(topic, ['a']);
    await log.topics([topic]);
    const [answer] = await log.fetch(1, { ...wish, positions: [at(topic, 0n, over)] });
    expect(answer?.errorCode).toBe(errorCode);
  });

  it('waits for records longer than it would for a silent broker, while questions are answered beside it', async () => {
    const log = await opened({ silenceLimitMs: 700 });
    const topic = await stranger.topic();
    await log.topics([topic]);
    await eventually(
      async () => (await log.offsets(1, [{ topic, partition: 0 }], 'end'))[0]?.errorCode === 0,
    );
    let isBack = false;
    const beganMs = performance.now();
    const fetching = log
      .fetch(1, { ...wish, maxWaitMs: 2000, positions: [at(topic, 0n)] })
      .finally(() => (isBack = true));
    expect((await log.topics([topic]))[0]?.errorCode).toBe(0);
    expect(isBack).toBe(false);
    const [answer] = await fetching;
    expect(answer).toMatchObject({ errorCode: 0, highWatermark: 0n });
    expect(performance.now() - beganMs).toBeGreaterThan(1900);
  });
});

it('ends what is out at once when it is closed, and asks nothing more', async () => {
  const reads = await openKafkaReads(connectionTo(kafka.bootstrap), silentLog);
  const topic = await stranger.topic();
  await reads.log.topics([topic]);
  const fetching = reads.log.fetch(1, { ...wish, maxWaitMs: 30_000, positions: [at(topic, 0n)] });
  const ended = expect(fetching).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  await reads.close();
  await ended;
  await expect(reads.log.topics([topic])).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
});

describe('a partition that is read to its end', () => {
  it('passes a removal of what it was about to read on as something to be asked again, and not as a verdict', async () => {
    const topic = await stranger.topic();
    const large = 'k'.repeat(30_000);
    for (let batch = 0; batch < 4; batch += 1)
      await stranger.write(topic, Array<string>(10).fill(large));
    const cluster = new Cluster(connectionTo(kafka.bootstrap), silentLog);
    onTestFinished(() => cluster.close());
    await cluster.describe([topic]);
    let records = 0;
    const reading = readPartition(cluster, 1, { topic, partition: 0 }, async (some) => {
      records += some.length;
      await stranger.removeBefore(topic, '38');
    });
    await expect(reading).rejects.toMatchObject({
      code: 'KAFKA_PARTITION_UNAVAILABLE',
      message: expect.stringContaining('were removed while it was read') as string,
    });
    expect(records).toBeGreaterThan(0);
    expect(records).toBeLessThan(38);
  });
});
