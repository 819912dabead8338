import type { BrokerLink } from '../connection/broker-link.ts';
import { duplicateSequenceNumber } from '../kafka-errors.ts';
import { partitionKey } from '../ports/partition.ts';
import { ByteSink } from '../wire/byte-sink.ts';
import { PartitionSequences, type PartitionBatch } from './partition-sequences.ts';
import { produceApi, writeProduceRequest, type PartitionAnswer } from './produce-api.ts';
import type { ProducerIdentity } from './producer-identity.ts';
import type { BatchCompression } from './record-batch.ts';
import type { RecordToWrite } from './record-to-write.ts';

/** Records of one partition, in order. The object is its identity: send the same one again after a failure. */
export interface WrittenBatch extends PartitionBatch {
  readonly records: readonly RecordToWrite[];
}

/** What became of a batch. */
export interface BatchOutcome<Batch> {
  readonly batch: Batch;
  readonly isStored: boolean;
  /** The broker's row; undefined where its answer has none. */
  readonly answer: PartitionAnswer | undefined;
}

export interface BatchProducerOptions {
  readonly identity: ProducerIdentity;
  /** How long a broker waits for the replicas before it answers REQUEST_TIMED_OUT. */
  readonly replicationTimeoutMs: number;
  readonly compression?: BatchCompression | undefined;
  /** Its batches are of this id's transaction; without it they are plain ones. */
  readonly transactionalId?: string | undefined;
  /** First sequence of every partition; only a test of the wrap sets it. */
  readonly firstSequence?: number | undefined;
}

/** A request's memory is used again up to this size; a larger one is an exception that should not stay resident. */
const keptSinkBytes = 4 * 1024 * 1024;
const newSinkBytes = 256 * 1024;

/**
 * One producer: numbers batches, writes them and reads the answers. Tries nothing again by itself, and knows no
 * leaders.
 */
export class BatchProducer {
  readonly #options: BatchProducerOptions;
  readonly #sequences: PartitionSequences;
  /** Memory for requests, one for each that is out at the same time. */
  readonly #sinks: ByteSink[] = [];

  constructor(options: BatchProducerOptions) {
    this.#options = options;
    this.#sequences = new PartitionSequences(options.firstSequence);
  }

  /**
   * One request with these batches, at most one of a partition, to the broker that leads them; acks = all. An outcome
   * for each, in their order. What is not stored, or what no answer tells of, keeps its number: send the same batch
   * again, and no other of its partition before.
   * @throws KafkaError as `BrokerLink.request`: any of them may be stored; KAFKA_TOPIC_CHANGED, see
   * `PartitionSequences.confirm`. Error for a batch that may not be sent now.
   */
  async send<Batch extends WrittenBatch>(
    link: BrokerLink,
    batches: readonly Batch[],
  ): Promise<readonly BatchOutcome<Batch>[]> {
    const { identity, replicationTimeoutMs, compression, transactionalId } = this.#options;
    const begun: Batch[] = [];
    try {
      const numbered = batches.map((batch) => {
        const firstSequence = this.#sequences.begin(batch);
        begun.push(batch);
        const { topic, partition, records } = batch;
        return { topic, partition, records, identity: { ...identity, firstSequence } };
      });
      const sink = this.#sinks.pop() ?? new ByteSink(newSinkBytes);
      sink.end = 0;
      await writeProduceRequest(sink, numbered, replicationTimeoutMs, compression, transactionalId);
      const { answers } = await link.request(produceApi, sink.written());
      // The broker has answered, so the socket has let go of the bytes. After a failure it may not have: then they
      // are left to it.
      if (sink.bytes.length <= keptSinkBytes) this.#sinks.push(sink);
      const rows = new Map(answers.map((row) => [partitionKey(row), row]));
      return batches.map((batch) => this.#booked(batch, rows.get(partitionKey(batch))));
    } finally {
      for (const batch of begun) this.#sequences.release(batch);
    }
  }

  /**
   * Frees the number of a batch that the broker has refused for what is in it (`refusesRecords`), so that its records
   * can go in others.
   * @throws KafkaError KAFKA_PRODUCER_LOST, see `PartitionSequences.giveUp`.
   */
  giveUp(batch: WrittenBatch): void {
    this.#sequences.giveUp(batch);
  }

  #booked<Batch extends WrittenBatch>(
    batch: Batch,
    answer: PartitionAnswer | undefined,
  ): BatchOutcome<Batch> {
    const isStored = answer?.code === 0 || answer?.code === duplicateSequenceNumber;
    if (!isStored) return { batch, isStored, answer };
    // The broker has it already, and says so without its offset.
    const baseOffset = answer.code === 0 ? answer.baseOffset : -1n;
    this.#sequences.confirm(batch, baseOffset);
    return { batch, isStored, answer: { ...answer, baseOffset } };
  }
}
