import type { ProducerIdentity } from '@outbound/kafka';
import type { Chance } from './chance.ts';
import type { LoggedRecord, PartitionLog } from './partition-log.ts';
import type { Scheduler } from './scheduler.ts';

/** Numbers of Kafka's errors that the coordinator gives. */
export const coordinatorError = {
  none: 0,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  concurrentTransactions: 51,
} as const;

interface Transaction {
  /** Partitions that have no marker yet, with what was appended to them. */
  readonly open: Map<string, LoggedRecord[]>;
  state: 'open' | 'commits' | 'aborts';
}

interface Owner {
  identity: ProducerIdentity;
  transaction: Transaction | undefined;
  /** The epoch whose commit was the last thing that was asked and carried out. */
  committedEpoch: number;
  /** The epoch was raised by an abort, and given to nobody. */
  isAborted: boolean;
}

const transactionTimeoutMs = 30_000;
/** The last epoch that Kafka gives out; then the name has another producer id. Source: `TransactionMetadata.isEpochExhausted`. */
export const kafkasLastEpoch = 32_766;

/**
 * The coordinator of producers with a name, by Kafka's rules up to EndTxn 4 (`TransactionCoordinator`): an epoch for each who asks, not before the
 * transaction of the one before is through; what was decided is written to the partitions one by one.
 */
export class SimulatedCoordinator {
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #logOf: (lane: string) => PartitionLog;
  readonly #takesMarkers: (lane: string) => boolean;
  readonly #owners = new Map<string, Owner>();
  #nextProducerId = 1000n;
  /** Epoch of the first session, and the last one that is given out of a producer id. */
  epochs = { first: 0, last: kafkasLastEpoch };
  /** By how much an abort raises the epoch: by one, and with transactions of Kafka 4.0 by two (KAFKA-19367). */
  abortRaises: 1 | 2 = 1;
  readonly #sessions = new Map<string, number>();
  /** From now on no question comes late. */
  isPunctual = false;
  /** Questions that nobody waits for any more and that have not come to the coordinator yet. */
  #late: (() => void)[] = [];

  constructor(
    scheduler: Scheduler,
    chance: Chance,
    logOf: (lane: string) => PartitionLog,
    takesMarkers: (lane: string) => boolean,
  ) {
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#logOf = logOf;
    this.#takesMarkers = takesMarkers;
  }

  /** A higher epoch each time; undefined while a transaction is being ended (CONCURRENT_TRANSACTIONS), which this begins if one is open. */
  init(transactionalId: string): ProducerIdentity | undefined {
    const owner = this.#owners.get(transactionalId);
    if (!owner) {
      const identity = { producerId: this.#nextProducerId, producerEpoch: this.epochs.first };
      this.#nextProducerId += 1n;
      this.#owners.set(transactionalId, {
        ...{ identity, transaction: undefined, committedEpoch: -1, isAborted: false },
      });
      return this.#opened(identity);
    }
    if (owner.transaction?.state === 'open') this.#abort(owner);
    if (owner.transaction) return undefined;
    if (owner.identity.producerEpoch < this.epochs.last) raise(owner);
    else this.#replace(owner);
    owner.isAborted = false;
    return this.#opened(owner.identity);
  }

  /** A question hangs about in the network, and arrives when it can do harm: after the beginning of another transaction. */
  beLate(act: () => void): void {
    this.#late.push(act);
  }

  /** The how manieth session it is. */
  sessionOf(producer: ProducerIdentity): number {
    return this.#sessions.get(nameOf(producer)) ?? -1;
  }

  #opened(identity: ProducerIdentity): ProducerIdentity {
    this.#sessions.set(nameOf(identity), this.#sessions.size);
    return identity;
  }

  #replace(owner: Owner): void {
    owner.identity = { producerId: this.#nextProducerId, producerEpoch: 0 };
    this.#nextProducerId += 1n;
  }

  /** The partitions become part of the owner's transaction, which begins if none is open. */
  add(transactionalId: string, producer: ProducerIdentity, lanes: readonly string[]): number {
    const owner = this.#ownerOf(transactionalId, producer);
    if (!owner) return coordinatorError.invalidProducerEpoch;
    if (owner.transaction && owner.transaction.state !== 'open')
      return coordinatorError.concurrentTransactions;
    const transaction = owner.transaction ?? this.#begin(owner);
    for (const lane of lanes) if (!transaction.open.has(lane)) transaction.open.set(lane, []);
    return coordinatorError.none;
  }

  commit(transactionalId: string, producer: ProducerIdentity): number {
    const owner = this.#ownerOf(transactionalId, producer);
    if (!owner) return coordinatorError.invalidProducerEpoch;
    const { transaction } = owner;
    if (!transaction)
      return owner.committedEpoch === producer.producerEpoch
        ? coordinatorError.none
        : coordinatorError.invalidTxnState;
    if (transaction.state !== 'open') return coordinatorError.concurrentTransactions;
    owner.committedEpoch = producer.producerEpoch;
    this.#end(owner, transaction, 'commits');
    return coordinatorError.none;
  }

  /** Ends what is open, whichever epoch of the producer asks, as Kafka does; where nothing is open, an older epoch is refused. */
  retire(transactionalId: string, { producerId, producerEpoch }: ProducerIdentity): void {
    const owner = this.#owners.get(transactionalId);
    if (owner?.identity.producerId !== producerId) return;
    if (owner.transaction?.state === 'open') this.#abort(owner);
    else if (!owner.transaction && owner.identity.producerEpoch === producerEpoch) raise(owner);
  }

  /** As `Transactions.wasAbortedByTime`. */
  wasAborted(transactionalId: string, { producerId, producerEpoch }: ProducerIdentity): boolean {
    const owner = this.#owners.get(transactionalId);
    return (
      owner?.isAborted === true &&
      owner.identity.producerId === producerId &&
      owner.identity.producerEpoch > producerEpoch
    );
  }

  /** Where a partition keeps what a batch of that producer's transaction adds to it; undefined if it is not over that partition, or no longer. */
  hiddenOf(
    transactionalId: string,
    { producerId }: ProducerIdentity,
    lane: string,
  ): LoggedRecord[] | undefined {
    const owner = this.#owners.get(transactionalId);
    return owner?.identity.producerId === producerId
      ? owner.transaction?.open.get(lane)
      : undefined;
  }

  #ownerOf(transactionalId: string, producer: ProducerIdentity): Owner | undefined {
    const owner = this.#owners.get(transactionalId);
    return owner && nameOf(owner.identity) === nameOf(producer) ? owner : undefined;
  }

  #begin(owner: Owner): Transaction {
    const transaction: Transaction = { open: new Map(), state: 'open' };
    owner.transaction = transaction;
    owner.committedEpoch = -1;
    for (const act of this.#late.splice(0)) this.#scheduler.after(this.#chance.between(0, 60), act);
    this.#scheduler.after(transactionTimeoutMs, () => {
      if (owner.transaction === transaction && transaction.state === 'open') this.#abort(owner);
    });
    return transaction;
  }

  #abort(owner: Owner): void {
    if (!owner.transaction) return;
    owner.isAborted = true;
    raise(owner);
    if (this.abortRaises > 1 && owner.identity.producerEpoch < this.epochs.last) raise(owner);
    this.#end(owner, owner.transaction, 'aborts');
  }

  #end(owner: Owner, transaction: Transaction, state: 'commits' | 'aborts'): void {
    transaction.state = state;
    const { identity } = owner;
    const isThrough = (): void => {
      if (transaction.open.size === 0) owner.transaction = undefined;
    };
    const mark = (lane: string): void => {
      this.#scheduler.after(this.#chance.between(0.2, 40), () => {
        // A marker is taken when every replica in sync has it: until then it is sent again.
        if (!this.#takesMarkers(lane)) return mark(lane);
        for (const entry of transaction.open.get(lane) ?? []) entry.isForeign = state !== 'commits';
        transaction.open.delete(lane);
        this.#logOf(lane).mark(identity);
        isThrough();
      });
    };
    for (const lane of [...transaction.open.keys()]) mark(lane);
    isThrough();
  }
}

function raise(owner: Owner): void {
  const { producerId, producerEpoch } = owner.identity;
  owner.identity = { producerId, producerEpoch: producerEpoch + 1 };
}

function nameOf({ producerId, producerEpoch }: ProducerIdentity): string {
  return `${producerId}/${producerEpoch}`;
}
