import { expect, it, onTestFinished } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { startFakeBroker, type FakeBroker } from '../test-support/fake-broker.ts';
import { metadataAnswer } from '../test-support/metadata-answer.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { BrokerGroupCoordinator } from './broker-group-coordinator.ts';

const metadata = 3;
const findCoordinator = 10;
const joinGroup = 11;
const heartbeat = 12;
const ranges = {
  [metadata]: [0, 7],
  [findCoordinator]: [0, 2],
  [joinGroup]: [0, 5],
  [heartbeat]: [0, 3],
} as const;
const notCoordinator = 16;

it('gives a join up that is out at one who is the coordinator no longer, once another is found', async () => {
  const brokers: FakeBroker[] = [];
  let coordinator = 0;
  let isJoinOut: () => void = () => undefined;
  const joinOut = new Promise<void>((resolve) => (isJoinOut = resolve));
  const factsOf = (index: number) => {
    const [host = '', port] = (brokers[index]?.address ?? '').split(':');
    return { nodeId: index + 1, host, port: Number(port) };
  };
  for (const index of [0, 1])
    brokers.push(
      await startFakeBroker(ranges, {
        [metadata]: () => metadataAnswer([0, 1].map(factsOf)),
        [findCoordinator]: () => {
          const { nodeId, host, port } = factsOf(coordinator);
          const head = new ByteWriter().int32(0).int16(0).string(null);
          return head.int32(nodeId).string(host).int32(port).written();
        },
        [joinGroup]: () => {
          isJoinOut();
          return undefined;
        },
        [heartbeat]: () =>
          new ByteWriter()
            .int32(0)
            .int16(index === coordinator ? 0 : notCoordinator)
            .written(),
      }),
    );
  const cluster = new Cluster(connectionTo(brokers.map(({ address }) => address)), silentLog);
  onTestFinished(async () => {
    cluster.close();
    for (const broker of brokers) await broker.close();
  });
  const group = new BrokerGroupCoordinator(cluster, 'g');
  const member = { memberId: 'm', groupInstanceId: undefined, generationId: 1 };
  const timeouts = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000 };
  const join = group.join({ ...member, ...timeouts, protocols: [] });
  const failed = expect(join).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  await joinOut;
  coordinator = 1;
  expect(await group.heartbeat(member)).toEqual({ errorCode: notCoordinator });
  expect(await group.heartbeat(member)).toEqual({ errorCode: 0 });
  await failed;
});
