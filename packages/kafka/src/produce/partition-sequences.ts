import { KafkaError } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports/partition.ts';
import { sequenceAfter } from './record-batch.ts';

/** Records of one partition, in order. The object is its identity: the same one is sent again after a failure. */
export interface PartitionBatch extends TopicPartition {
  readonly records: readonly unknown[];
}

interface PartitionState {
  next: number;
  /** The batch that was given a number and is not confirmed. */
  out: PartitionBatch | undefined;
  /** How often that batch was sent. */
  sends: number;
  isInFlight: boolean;
  /** Offset behind the last confirmed record; −1 before the first. */
  endOffset: bigint;
}

/**
 * Numbers the batches of one producer, per partition. A batch keeps its number until it is confirmed, however often
 * it is sent, and no other batch gets one before: so Kafka stores a repeated batch once, and can never take another
 * one for it (trap 3.1-2).
 */
export class PartitionSequences {
  readonly #states = new Map<string, PartitionState>();
  readonly #start: number;

  /** `start`: the first number of every partition; 0 but in a test of the wrap at 2^31. */
  constructor(start = 0) {
    this.#start = start;
  }

  /**
   * The number of the batch's first record; the batch is in flight from here until `confirm` or `release`.
   * @throws Error, a defect of the caller, if another batch of this partition is not confirmed, or this one is in
   * flight: sending it could drop or double records.
   */
  begin(batch: PartitionBatch): number {
    const key = partitionKey(batch);
    const state = this.#state(key);
    if (state.isInFlight) throw new Error(`lane ${key} is sent to while a send is out`);
    if (state.out && state.out !== batch)
      throw new Error(`lane ${key} is given another batch while one is not confirmed`);
    state.sends = state.out === batch ? state.sends + 1 : 1;
    state.out = batch;
    state.isInFlight = true;
    return state.next;
  }

  /**
   * The batch is stored, its first record at `baseOffset` (−1 if the broker did not say).
   * @throws KafkaError KAFKA_TOPIC_CHANGED if it stands before what was confirmed earlier: the topic was made anew or
   * Kafka has lost records.
   */
  confirm(batch: PartitionBatch, baseOffset: bigint): void {
    const key = partitionKey(batch);
    const state = this.#state(key);
    state.next = sequenceAfter(state.next, batch.records.length);
    state.out = undefined;
    state.isInFlight = false;
    if (baseOffset < 0n) return;
    if (baseOffset < state.endOffset)
      throw new KafkaError(
        'KAFKA_TOPIC_CHANGED',
        `lane ${key}: records were confirmed up to offset ${state.endOffset - 1n}, and new ones are stored at ${baseOffset}: the topic was deleted and made anew, or Kafka lost confirmed records; compare the topic with the database`,
      );
    state.endOffset = baseOffset + BigInt(batch.records.length);
  }

  /** The send is over and says nothing of the batch: it keeps its number. */
  release(batch: PartitionBatch): void {
    this.#state(partitionKey(batch)).isInFlight = false;
  }

  /**
   * The broker refuses the batch for what is in it and has stored nothing: its number is free for another batch of
   * the partition.
   * @throws KafkaError KAFKA_PRODUCER_LOST if the batch was sent before: that send may have stored it (a setting of
   * the topic has changed since), and Kafka would take another batch under the number for the stored one. A new
   * producer looks at what is there.
   */
  giveUp(batch: PartitionBatch): void {
    const key = partitionKey(batch);
    const state = this.#state(key);
    if (state.out !== batch) throw new Error(`lane ${key} gives up a batch that is not out`);
    if (state.sends > 1)
      throw new KafkaError(
        'KAFKA_PRODUCER_LOST',
        `lane ${key}: a batch is refused that an earlier send without an answer may have stored`,
      );
    state.out = undefined;
    state.isInFlight = false;
  }

  #state(key: string): PartitionState {
    let state = this.#states.get(key);
    if (!state) {
      state = { next: this.#start, out: undefined, sends: 0, isInFlight: false, endOffset: -1n };
      this.#states.set(key, state);
    }
    return state;
  }
}
