import { describeTransactionsApi, type TransactionFacts } from '../apis/transaction-apis.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { transactionCoordinatorOf, type ProducerIdentity } from './producer-identity.ts';

/**
 * What the coordinator knows of a transactional id. Undefined where it has an error for it instead.
 * @throws KafkaError, also KAFKA_UNSUPPORTED of brokers before 3.0
 */
export async function transactionFacts(
  cluster: Cluster,
  transactionalId: string,
): Promise<TransactionFacts | undefined> {
  const link = cluster.link(await transactionCoordinatorOf(cluster, transactionalId));
  const { transactions } = await link.request(describeTransactionsApi, { transactionalId });
  return transactions[0]?.errorCode === 0 ? transactions[0] : undefined;
}

/** What a transaction is in that is aborted, or was; a producer that is given out leaves `Empty` behind. Source: `TransactionState` of Kafka. */
const aborting: ReadonlySet<string> = new Set([
  'PrepareEpochFence',
  'PrepareAbort',
  'CompleteAbort',
]);

/** By how much an abort by time raises the epoch at the most: once to fence, and once more with KIP-890, as each end of a transaction does. */
const mostByTime = 2;

/**
 * Whether the coordinator has taken this producer's epoch away by itself, because its transaction took too long: it aborts under a higher epoch of the
 * same producer id (one or two higher), and gives that one to nobody. A higher one is of an abort of a newer producer, whether that one has ended since or not. (For a moment a newer
 * producer that is being opened looks the same: its coordinator aborts first, and gives an epoch out then.) Pure.
 */
export function isAbortedByTime(
  facts: Pick<TransactionFacts, 'state' | 'producer'>,
  { producerId, producerEpoch }: ProducerIdentity,
): boolean {
  const raisedBy = facts.producer.producerEpoch - producerEpoch;
  return (
    aborting.has(facts.state) &&
    facts.producer.producerId === producerId &&
    raisedBy > 0 &&
    raisedBy <= mostByTime
  );
}
