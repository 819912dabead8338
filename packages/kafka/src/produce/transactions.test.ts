import { expect, it, onTestFinished } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { startFakeBroker, type FakeBroker, type FakeRequest } from '../test-support/fake-broker.ts';
import { metadataAnswer } from '../test-support/metadata-answer.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { Transactions } from './transactions.ts';

const metadata = 3;
const findCoordinator = 10;
const addPartitions = 24;
const endTransaction = 26;
const ranges = {
  [metadata]: [0, 7],
  [findCoordinator]: [0, 2],
  [addPartitions]: [0, 2],
  [endTransaction]: [0, 2],
} as const;
const concurrentTransactions = 51;
const notCoordinator = 16;

/** What becomes of a question: Kafka's code is answered; `lost`: the connection ends without an answer. */
type Fate = number | 'lost';

/** Transactions at a coordinator that treats the questions as told, one after the other, and takes all that come after. */
async function transactionsAt({ add = [], commit = [] }: { add?: Fate[]; commit?: Fate[] }) {
  const broker: FakeBroker = await startFakeBroker(ranges, {
    [metadata]: () => metadataAnswer([{ nodeId: 1, host, port }]),
    [findCoordinator]: () =>
      new ByteWriter().int32(0).int16(0).string(null).int32(1).string(host).int32(port).written(),
    [addPartitions]: (request) =>
      answered(request, add, (code) => {
        const writer = new ByteWriter().int32(0);
        return writer.array(['t'], (topic) =>
          writer.string(topic).array([0], (partition) => writer.int32(partition).int16(code)),
        );
      }),
    [endTransaction]: (request) =>
      answered(request, commit, (code) => new ByteWriter().int32(0).int16(code)),
  });
  const [host = '', portText] = broker.address.split(':');
  const port = Number(portText);
  const cluster = new Cluster(connectionTo([broker.address]), silentLog);
  onTestFinished(async () => {
    cluster.close();
    await broker.close();
  });
  return new Transactions({
    ...{ cluster, transactionalId: 'writer', withinMs: 30_000 },
    identity: { producerId: 7n, producerEpoch: 3 },
    signal: new AbortController().signal,
  });
}

function answered(
  { socket }: FakeRequest,
  fates: Fate[],
  answer: (code: number) => ByteWriter,
): Buffer | undefined {
  const fate = fates.shift() ?? 0;
  if (fate !== 'lost') return answer(fate).written();
  socket.destroy();
  return undefined;
}

const at = { topic: 't', partition: 0 };

it('asks for a commit until it is answered, and tells that one without an answer may be carried out yet', async () => {
  const transactions = await transactionsAt({ commit: ['lost'] });
  await transactions.add([at]);
  expect(await transactions.commit()).toEqual({ isLastOfEpoch: true });
});

it('tells the same where it was the beginning that had no answer', async () => {
  const transactions = await transactionsAt({ add: ['lost'] });
  await transactions.add([at]);
  expect(await transactions.commit()).toEqual({ isLastOfEpoch: true });
});

it('knows that a question which was answered is over, whatever the answer was', async () => {
  const transactions = await transactionsAt({
    add: [concurrentTransactions],
    commit: [notCoordinator],
  });
  await transactions.add([at]);
  expect(await transactions.commit()).toEqual({ isLastOfEpoch: false });
});
