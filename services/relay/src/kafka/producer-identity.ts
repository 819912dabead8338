import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorFromCode, KafkaError, type TopicDirectory } from '@outbound/kafka';
import type { SourceIdentity } from '../wal/source-position.ts';

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
/** What passes by itself: the same list as the relay's retries. */
const passing: ReadonlySet<string> = new Set([
  'KAFKA_UNAVAILABLE',
  'KAFKA_PARTITION_UNAVAILABLE',
  'KAFKA_PRODUCER_LOST',
]);

/**
 * The name under which relays of one source fence each other. Stable over restarts, hosts and failovers: the timeline is left out,
 * because the relay of a promoted server has to fence the one that still reads the old server. Slots of other databases do not collide.
 */
export function transactionalIdOf({ systemIdentifier, database, slot }: SourceIdentity): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([systemIdentifier, database]))
    .digest('hex')
    .slice(0, 8);
  return `outbound-${slot}-${hash}`;
}

/**
 * Takes a new epoch from the coordinator (trap 10e): from the first batch that is written with it to a partition, every batch of an
 * older epoch is refused there with INVALID_PRODUCER_EPOCH. No transaction is ever begun, so readers need not be read-committed.
 * Not fenced are a producer that has been silent for more than `transactional.id.expiration.ms` (7 days; sessions are renewed every
 * 12 hours), and one epoch in 32,767, when Kafka gives the name a new producer id.
 * @throws KafkaError KAFKA_UNAVAILABLE if the coordinator can't be reached within `withinMs`; KAFKA_AUTH_FAILED, KAFKA_FORBIDDEN.
 */
export async function fence(
  directory: TopicDirectory,
  transactionalId: string,
  withinMs: number,
): Promise<ProducerIdentity> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await askForEpoch(directory, transactionalId);
    } catch (thrown) {
      // Right after the cluster's first start the coordinator's topic is still being made; a coordinator may also be moving.
      if (!(thrown instanceof KafkaError) || !passing.has(thrown.code)) throw thrown;
      if (performance.now() > deadline) throw thrown;
      await delay(pauseMs);
      await directory.refresh();
    }
  }
}

async function askForEpoch(
  directory: TopicDirectory,
  transactionalId: string,
): Promise<ProducerIdentity> {
  const { errorCode: lost, coordinator } = await directory.cluster
    .anyLink()
    .ask<CoordinatorAnswer>('GroupCoordinator', {
      groupId: transactionalId,
      coordinatorType: transactionCoordinator,
    });
  if (lost !== 0) throw errorFromCode(lost, `coordinator of ${transactionalId}`);
  const { errorCode, producerId, producerEpoch } = await directory.cluster
    .link(coordinator.nodeId)
    // No transaction is begun, so this time never runs; the broker wants it below `transaction.max.timeout.ms`.
    .ask<IdentityAnswer>('InitProducerId', { transactionalId, transactionTimeout: 60_000 });
  if (errorCode !== 0) throw errorFromCode(errorCode, `transactional id ${transactionalId}`);
  return { producerId: BigInt(producerId), producerEpoch };
}
