import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';

/** A producer as Kafka knows it: batches of an older epoch of the same id are refused. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

interface CoordinatorAnswer {
  readonly errorCode: number;
  readonly coordinator: { readonly nodeId: number };
}
interface IdentityAnswer {
  readonly errorCode: number;
  readonly producerId: string;
  readonly producerEpoch: number;
}

const transactionCoordinator = 1;
const pauseMs = 100;
/** The broker wants it below its `transaction.max.timeout.ms` (15 min) also of whoever begins no transaction. */
const defaultTransactionTimeoutMs = 60_000;
/** What passes by itself; CONCURRENT_TRANSACTIONS too: the transaction of an earlier epoch is being ended. */
const passing: ReadonlySet<string> = new Set([
  'KAFKA_UNAVAILABLE',
  'KAFKA_PARTITION_UNAVAILABLE',
  'KAFKA_PRODUCER_LOST',
]);

/**
 * Takes a new epoch from the coordinator (trap 10e): from the first batch that is written with it to a partition, every batch of an older
 * epoch is refused there with INVALID_PRODUCER_EPOCH. What an earlier epoch has left open as a transaction is aborted, and its partitions
 * have refused that epoch when this resolves. No transaction is begun. Not fenced are a producer that has been silent for more than
 * `transactional.id.expiration.ms` (7 days; ask again well before), and what an older *producer id* has under way: Kafka gives the name
 * another one behind epoch 32,766, which `takeProducer` is for. `transactionTimeoutMs`: after so long the coordinator itself aborts a
 * transaction.
 * @throws KafkaError KAFKA_UNAVAILABLE if the coordinator can't be reached within `withinMs`; KAFKA_AUTH_FAILED,
 * KAFKA_FORBIDDEN.
 */
export async function fence(
  cluster: Cluster,
  transactionalId: string,
  withinMs: number,
  transactionTimeoutMs = defaultTransactionTimeoutMs,
): Promise<ProducerIdentity> {
  return askedUntil(withinMs, cluster, () =>
    askForEpoch(cluster, transactionalId, transactionTimeoutMs),
  );
}

/**
 * A producer id that nobody has: for a producer that fences none and is fenced by none, and only has its repeated
 * batches stored once.
 * @throws as `fence`.
 */
export async function newProducer(cluster: Cluster, withinMs: number): Promise<ProducerIdentity> {
  return askedUntil(withinMs, cluster, async () => {
    const answer = await cluster.askOne('InitProducerId', (link) =>
      link.ask<IdentityAnswer>('InitProducerId', {
        transactionalId: null,
        transactionTimeout: defaultTransactionTimeoutMs,
      }),
    );
    if (answer.errorCode !== 0) throw errorFromCode(answer.errorCode, 'a new producer id');
    return identityOf(answer);
  });
}

async function askedUntil(
  withinMs: number,
  cluster: Cluster,
  ask: () => Promise<ProducerIdentity>,
): Promise<ProducerIdentity> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await ask();
    } catch (thrown) {
      // Right after the cluster's first start the coordinator's topic is still being made; a coordinator may also be
      // moving.
      if (!(thrown instanceof KafkaError) || !passing.has(thrown.code)) throw thrown;
      if (performance.now() > deadline) throw thrown;
      await delay(pauseMs);
      await cluster.describe([]);
    }
  }
}

/**
 * The broker that coordinates a transactional id, by its node id.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_FORBIDDEN
 */
export async function transactionCoordinatorOf(
  cluster: Cluster,
  transactionalId: string,
): Promise<number> {
  const { errorCode, coordinator } = await cluster.askOne('GroupCoordinator', (link) =>
    link.ask<CoordinatorAnswer>('GroupCoordinator', {
      groupId: transactionalId,
      coordinatorType: transactionCoordinator,
    }),
  );
  if (errorCode !== 0) throw errorFromCode(errorCode, `coordinator of ${transactionalId}`);
  return coordinator.nodeId;
}

async function askForEpoch(
  cluster: Cluster,
  transactionalId: string,
  transactionTimeout: number,
): Promise<ProducerIdentity> {
  const answer = await cluster
    .link(await transactionCoordinatorOf(cluster, transactionalId))
    .ask<IdentityAnswer>('InitProducerId', { transactionalId, transactionTimeout });
  if (answer.errorCode !== 0)
    throw errorFromCode(answer.errorCode, `transactional id ${transactionalId}`);
  return identityOf(answer);
}

function identityOf({ producerId, producerEpoch }: IdentityAnswer): ProducerIdentity {
  return { producerId: BigInt(producerId), producerEpoch };
}
