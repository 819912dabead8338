import type { Cluster } from '../cluster/cluster.ts';
import { KafkaError } from '../kafka-error.ts';
import { concurrentTransactions } from '../kafka-errors.ts';
import { partitionKey } from '../ports/partition.ts';
import { transactionFacts } from './transaction-facts.ts';

/** Partitions that a sentence names. */
const named = 5;

/**
 * CONCURRENT_TRANSACTIONS in words that help: which partitions have not taken the end of the transaction before, as its coordinator says. Kafka's own answer names neither them nor
 * a reason, and as long as one of them has no leader or too few replicas nothing else of this transactional id goes on. The error as it is where it is another one,
 * or where nobody tells more.
 */
export async function explainConcurrent(
  cluster: Cluster,
  transactionalId: string,
  error: KafkaError,
): Promise<KafkaError> {
  if (error.kafkaCode !== concurrentTransactions) return error;
  const facts = await transactionFacts(cluster, transactionalId).catch(() => undefined);
  if (!facts || facts.partitions.length === 0) return error;
  const { state, partitions } = facts;
  const more = partitions.length > named ? ` and ${partitions.length - named} more` : '';
  const list = partitions.slice(0, named).map(partitionKey).join(', ') + more;
  const [have, they] = partitions.length === 1 ? ['has', 'it has'] : ['have', 'they have'];
  return new KafkaError(
    'KAFKA_PARTITION_UNAVAILABLE',
    `${error.message}: the one before is still being ended (${state}), and ${list} ${have} not taken its end: ${they} no leader, or too few replicas in sync`,
    { cause: error, kafkaCode: concurrentTransactions },
  );
}
