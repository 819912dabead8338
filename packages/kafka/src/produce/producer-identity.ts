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
/** What passes by itself. */
const passing: ReadonlySet<string> = new Set([
  'KAFKA_UNAVAILABLE',
  'KAFKA_PARTITION_UNAVAILABLE',
  'KAFKA_PRODUCER_LOST',
]);

/**
 * Takes a new epoch from the coordinator (trap 10e): from the first batch that is written with it to a partition,
 * every batch of an older epoch is refused there with INVALID_PRODUCER_EPOCH. No transaction is ever begun, so
 * readers need not be read-committed. Not fenced are a producer that has been silent for more than
 * `transactional.id.expiration.ms` (7 days; ask again well before), and one epoch in 32,767, when Kafka gives the
 * name a new producer id.
 * @throws KafkaError KAFKA_UNAVAILABLE if the coordinator can't be reached within `withinMs`; KAFKA_AUTH_FAILED,
 * KAFKA_FORBIDDEN.
 */
export async function fence(
  cluster: Cluster,
  transactionalId: string,
  withinMs: number,
): Promise<ProducerIdentity> {
  return askedUntil(withinMs, cluster, () => askForEpoch(cluster, transactionalId));
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
        transactionTimeout: 60_000,
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

async function askForEpoch(cluster: Cluster, transactionalId: string): Promise<ProducerIdentity> {
  const { errorCode: lost, coordinator } = await cluster.askOne('GroupCoordinator', (link) =>
    link.ask<CoordinatorAnswer>('GroupCoordinator', {
      groupId: transactionalId,
      coordinatorType: transactionCoordinator,
    }),
  );
  if (lost !== 0) throw errorFromCode(lost, `coordinator of ${transactionalId}`);
  const answer = await cluster
    .link(coordinator.nodeId)
    // No transaction is begun, so this time never runs; the broker wants it below `transaction.max.timeout.ms`.
    .ask<IdentityAnswer>('InitProducerId', { transactionalId, transactionTimeout: 60_000 });
  if (answer.errorCode !== 0)
    throw errorFromCode(answer.errorCode, `transactional id ${transactionalId}`);
  return identityOf(answer);
}

function identityOf({ producerId, producerEpoch }: IdentityAnswer): ProducerIdentity {
  return { producerId: BigInt(producerId), producerEpoch };
}
