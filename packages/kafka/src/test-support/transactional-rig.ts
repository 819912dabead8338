import { onTestFinished } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { Cluster } from '../cluster/cluster.ts';
import { TopicDirectory } from '../cluster/topic-directory.ts';
import { concurrentTransactions, errorFromCode } from '../kafka-errors.ts';
import { BatchProducer } from '../produce/batch-producer.ts';
import { explainConcurrent } from '../produce/explain-concurrent.ts';
import { fence } from '../produce/producer-identity.ts';
import { Transactions } from '../produce/transactions.ts';
import { readPartition } from '../reads/read-partition.ts';
import { anyName, connectionTo, silentLog } from './test-topics.ts';

const notLeader = 6;

/** A transactional id, and producers under it, each with a new epoch, for a topic of one partition. */
export async function transactionalRig(bootstrap: readonly string[], topic: string) {
  const transactionalId = anyName('writer');
  const at = { topic, partition: 0 };
  const cluster = new Cluster(connectionTo(bootstrap), silentLog);
  onTestFinished(() => cluster.close());
  const directory = new TopicDirectory(cluster, [topic]);
  await eventually(async () => {
    await directory.refresh();
    return directory.leaderOf(topic, 0) >= 0;
  });
  const leader = directory.leaderOf(topic, 0);
  return {
    at,
    producer: async (timeoutMs?: number) => {
      const identity = await fence(cluster, transactionalId, 30_000, timeoutMs);
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
    /** What is told of a question that the open transaction holds up. */
    explain: async () => {
      const error = errorFromCode(concurrentTransactions, 'the question');
      return (await explainConcurrent(cluster, transactionalId, error)).message;
    },
    read: async (last?: bigint) => {
      const keys: string[] = [];
      const isWhole = await readPartition(
        cluster,
        leader,
        at,
        (records) => {
          keys.push(...records.map(({ key }) => String(key)));
        },
        { last },
      );
      return { keys, isWhole };
    },
  };
}
