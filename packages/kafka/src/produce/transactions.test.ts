import { expect, it, onTestFinished } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { startFakeBroker, type FakeBroker, type FakeRequest } from '../test-support/fake-broker.ts';
import { metadataAnswer } from '../test-support/metadata-answer.ts';
import { connectionTo, silentLog } from '../test-support/test-topics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { Transactions } from './transactions.ts';

const metadata = 3;
const initProducer = 22;
const describeTransactions = 65;
const findCoordinator = 10;
const addPartitions = 24;
const endTransaction = 26;
const ranges = {
  [metadata]: [0, 7],
  [findCoordinator]: [0, 2],
  [addPartitions]: [0, 2],
  [endTransaction]: [0, 2],
  [initProducer]: [0, 4],
  [describeTransactions]: [0, 0],
} as const;
const concurrentTransactions = 51;
const notCoordinator = 16;

/** What becomes of a question: Kafka's code is answered; `lost`: the connection ends without an answer. */
type Fate = number | 'lost';

/** Transactions at a coordinator that treats the questions as told, one after the other, and takes all that come after. */
async function transactionsAt({
  add = [],
  commit = [],
  retire = [],
  tellConcurrentAfterMs = 60_000,
}: {
  add?: Fate[];
  commit?: Fate[];
  retire?: Fate[];
  tellConcurrentAfterMs?: number;
}) {
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
    [initProducer]: (request) =>
      answered(request, retire, (code) =>
        new ByteWriter().noTags().int32(0).int16(code).int64(7n).int16(4).noTags(),
      ),
    [describeTransactions]: () => describedAs('PrepareAbort', 't', 5),
  });
  const [host = '', portText] = broker.address.split(':');
  const port = Number(portText);
  const cluster = new Cluster(connectionTo([broker.address]), silentLog);
  onTestFinished(async () => {
    cluster.close();
    await broker.close();
  });
  await cluster.describe([]);
  return new Transactions({
    ...{ cluster, transactionalId: 'writer', withinMs: 30_000, tellConcurrentAfterMs },
    identity: { producerId: 7n, producerEpoch: 3 },
    signal: new AbortController().signal,
  });
}

function describedAs(state: string, topic: string, partition: number): Buffer {
  const writer = new ByteWriter().noTags().int32(0);
  return writer
    .compactArray(['writer'], (name) =>
      writer
        .int16(0)
        .compactString(name)
        .compactString(state)
        .int32(30_000)
        .int64(0n)
        .int64(7n)
        .int16(3)
        .compactArray([topic], (each) =>
          writer
            .compactString(each)
            .compactArray([partition], (number) => writer.int32(number))
            .noTags(),
        )
        .noTags(),
    )
    .noTags()
    .written();
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

/** What is told of a question that waits. */
function tellings() {
  const told: string[] = [];
  return {
    told,
    onWaiting: ({ message }: Error, attempt: number) => told.push(`${attempt}: ${message}`),
  };
}

it('tells at once that the coordinator does not answer, and once for each time that it is asked again', async () => {
  const { told, onWaiting } = tellings();
  const transactions = await transactionsAt({ add: ['lost'], commit: [notCoordinator, 'lost'] });
  await transactions.add([at], onWaiting);
  expect(told).toEqual([expect.stringMatching(/^0: broker /)]);
  await transactions.commit(onWaiting);
  expect(told.slice(1)).toEqual([
    expect.stringMatching(/^0: transaction of writer: NOT_COORDINATOR/),
    expect.stringMatching(/^1: broker /),
  ]);
});

it('tells nothing of a moment in which the transaction before is still being ended', async () => {
  const { told, onWaiting } = tellings();
  const transactions = await transactionsAt({ add: [concurrentTransactions] });
  await transactions.add([at], onWaiting);
  expect(told).toEqual([]);
});

it('names the partitions that have not taken the end of the transaction before, where that lasts', async () => {
  const { told, onWaiting } = tellings();
  const transactions = await transactionsAt({
    add: [concurrentTransactions],
    tellConcurrentAfterMs: 0,
  });
  await transactions.add([at], onWaiting);
  expect(told).toEqual([
    '0: transaction of writer: CONCURRENT_TRANSACTIONS: the one before is still being ended (PrepareAbort), and t/5 has not taken its end: it has no leader, or too few replicas in sync',
  ]);
});

it('gives up what is open and asks nothing again, whatever the answer', async () => {
  const transactions = await transactionsAt({ retire: [concurrentTransactions, 'lost'] });
  await transactions.add([at]);
  await transactions.retire([at], 1000);
  await transactions.retire([at], 1000);
});
