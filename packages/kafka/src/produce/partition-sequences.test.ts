import { describe, expect, it } from 'vitest';
import { PartitionSequences, type PartitionBatch } from './partition-sequences.ts';

function batch(count: number, partition = 0): PartitionBatch {
  return { topic: 't', partition, records: Array.from({ length: count }, () => ({})) };
}

describe('PartitionSequences', () => {
  it('gives a batch the same number until it is confirmed, and the next one the number behind it', () => {
    const sequences = new PartitionSequences();
    const first = batch(5);
    expect(sequences.begin(first)).toBe(0);
    sequences.release(first);
    expect(sequences.begin(first)).toBe(0);
    sequences.confirm(first, 100n);
    expect(sequences.begin(batch(2))).toBe(5);
    expect(sequences.begin(batch(2, 1))).toBe(0);
  });

  it('refuses another batch after a failed one: Kafka could take it for the failed one and drop it (trap 3.1-2)', () => {
    const sequences = new PartitionSequences();
    const failed = batch(1);
    sequences.begin(failed);
    sequences.release(failed);
    expect(() => sequences.begin(batch(1))).toThrow(
      'is given another batch while one is not confirmed',
    );
  });

  it('gives the number of a batch that the broker refuses for its content to the next one', () => {
    const sequences = new PartitionSequences();
    const refused = batch(4);
    sequences.begin(refused);
    sequences.giveUp(refused);
    const half = batch(2);
    expect(sequences.begin(half)).toBe(0);
    sequences.confirm(half, 7n);
    expect(sequences.begin(batch(2))).toBe(2);
  });

  it('gives up no batch that an earlier send may have stored, nor one that is not out', () => {
    const sequences = new PartitionSequences();
    const doubtful = batch(1);
    sequences.begin(doubtful);
    sequences.release(doubtful);
    sequences.begin(doubtful);
    expect(() => sequences.giveUp(doubtful)).toThrow(
      expect.objectContaining({ code: 'KAFKA_PRODUCER_LOST' }),
    );
    expect(() => sequences.giveUp(batch(1))).toThrow('gives up a batch that is not out');
  });

  it('refuses a second send for a partition while one is out', () => {
    const sequences = new PartitionSequences();
    const sent = batch(1);
    sequences.begin(sent);
    expect(() => sequences.begin(sent)).toThrow('while a send is out');
  });

  it('continues at 0 behind 2^31 − 1 (trap 10c)', () => {
    const sequences = new PartitionSequences(2 ** 31 - 2);
    const first = batch(3);
    expect(sequences.begin(first)).toBe(2 ** 31 - 2);
    sequences.confirm(first, -1n);
    expect(sequences.begin(batch(1))).toBe(1);
  });

  it('notices offsets that go back: the topic was made anew, or Kafka lost confirmed records', () => {
    const sequences = new PartitionSequences();
    const first = batch(5);
    sequences.begin(first);
    sequences.confirm(first, 100n);
    const second = batch(1);
    sequences.begin(second);
    expect(() => sequences.confirm(second, 0n)).toThrow(
      expect.objectContaining({ code: 'KAFKA_TOPIC_CHANGED' }),
    );
  });
});
