import { expect, it, onTestFinished } from 'vitest';
import type { BrokerFacts } from '../apis/metadata-api.ts';
import { BrokerGroupCoordinator } from '../reads/broker-group-coordinator.ts';
import { startFakeBroker, type FakeBroker } from '../test-support/fake-broker.ts';
import { metadataAnswer, type TopicAnswer } from '../test-support/metadata-answer.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { Cluster } from './cluster.ts';
import { TopicDirectory } from './topic-directory.ts';

const metadata = 3;
const findCoordinator = 10;
const heartbeat = 12;
const ranges = { [metadata]: [0, 7], [findCoordinator]: [0, 2], [heartbeat]: [0, 3] } as const;
const notCoordinator = 16;

/** What one of the brokers believes. */
interface Belief {
  /** Node ids of those that it names; default all. */
  readonly named?: readonly number[];
  readonly topics?: readonly TopicAnswer[];
  /** Of every group. */
  readonly coordinator?: number;
  readonly heartbeatCode?: number;
}

/** Brokers with node ids from 1 on, that answer by what each believes. */
async function clusterOf(beliefs: readonly Belief[]) {
  const brokers: FakeBroker[] = [];
  const factsOf = (nodeId: number): BrokerFacts => {
    const [host = '', port] = (brokers[nodeId - 1]?.address ?? '').split(':');
    return { nodeId, host, port: Number(port) };
  };
  for (const [place, { coordinator = 1, heartbeatCode = 0 }] of beliefs.entries())
    brokers.push(
      await startFakeBroker(ranges, {
        [metadata]: () => {
          const { named, topics } = beliefs[place] ?? {};
          return metadataAnswer(
            (named ?? beliefs.map((_, index) => index + 1)).map(factsOf),
            topics,
          );
        },
        [findCoordinator]: () => {
          const { nodeId, host, port } = factsOf(coordinator);
          return new ByteWriter()
            .int32(0)
            .int16(0)
            .string(null)
            .int32(nodeId)
            .string(host)
            .int32(port)
            .written();
        },
        [heartbeat]: () => new ByteWriter().int32(0).int16(heartbeatCode).written(),
      }),
    );
  const cluster = new Cluster(connectionTo(brokers.map(({ address }) => address)), silentLog);
  onTestFinished(async () => {
    cluster.close();
    for (const broker of brokers) await broker.close();
  });
  return { cluster, brokers };
}

it('hears of a new leader although a broker that is cut off from the controller goes on answering', async () => {
  const { cluster } = await clusterOf([
    { topics: [{ topic: 't', leaders: [[1, 4]] }] },
    { topics: [{ topic: 't', leaders: [[2, 5]] }] },
  ]);
  const directory = new TopicDirectory(cluster, ['t']);
  await directory.refresh();
  await directory.refresh();
  expect(directory.leaderOf('t', 0)).toBe(2);
});

it('does not go back to the old leader when the broker that is behind is asked again', async () => {
  const { cluster, brokers } = await clusterOf([
    { topics: [{ topic: 't', leaders: [[1, 4]] }] },
    { topics: [{ topic: 't', leaders: [[2, 5]] }] },
  ]);
  const directory = new TopicDirectory(cluster, ['t']);
  const seen: number[] = [];
  for (let asked = 0; asked < 4; asked += 1) {
    await directory.refresh();
    seen.push(directory.leaderOf('t', 0));
  }
  // Both at first: nobody is believed alone.
  expect(brokers.map(({ keys }) => keys.length)).toEqual([3, 2]);
  expect(seen).toEqual([2, 2, 2, 2]);
});

it('keeps a topic that one broker of two or three has not heard of, and loses one that most do not have', async () => {
  for (const count of [2, 3]) {
    const here: TopicAnswer = { topic: 't', leaders: [[1, 4]] };
    const missing: TopicAnswer = { topic: 't', errorCode: 3, leaders: [] };
    const beliefs = Array.from({ length: count }, () => ({ topics: [here] }));
    const { cluster } = await clusterOf(beliefs);
    const directory = new TopicDirectory(cluster, ['t']);
    beliefs.splice(0, 1, { topics: [missing] });
    for (let asked = 0; asked < 6; asked += 1) {
      await directory.refresh();
      expect(directory.unknownForMs('t')).toBeUndefined();
    }
    beliefs.fill({ topics: [missing] });
    await directory.refresh();
    expect(directory.summary('t')).toBeUndefined();
  }
});

it('looks for the coordinator at another broker when it was sent to one that is none', async () => {
  const { cluster } = await clusterOf([
    { coordinator: 1, heartbeatCode: notCoordinator },
    { coordinator: 2 },
  ]);
  const group = new BrokerGroupCoordinator(cluster, 'g');
  const member = { memberId: 'm', groupInstanceId: undefined, generationId: 1 };
  expect(await group.heartbeat(member)).toEqual({ errorCode: notCoordinator });
  expect(await group.heartbeat(member)).toEqual({ errorCode: 0 });
});

it('keeps the connection to a broker that one which is behind does not name', async () => {
  const { cluster } = await clusterOf([{}, { named: [2] }, {}]);
  await cluster.describe([]);
  const link = cluster.link(3, cluster.linkSet());
  await cluster.describe([]);
  expect(cluster.link(3).address).toBe(link.address);
  expect(cluster.brokerCount).toBe(1);
  await cluster.describe([]);
  expect(cluster.brokerCount).toBe(3);
});

it('asks the brokers that were configured, too, when those that are known name only themselves', async () => {
  const { cluster, brokers } = await clusterOf([{ named: [1] }, { named: [1, 2] }]);
  await cluster.describe([]);
  await cluster.describe([]);
  expect(brokers.map(({ keys }) => keys.length)).toEqual([1, 1]);
  expect(cluster.link(2).address).toBe(brokers[1]?.address);
});
