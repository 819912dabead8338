import { describe, expect, it } from 'vitest';
import { KafkaError } from '../kafka-error.ts';
import type { ProducerIdentity } from './producer-identity.ts';
import {
  firstQuietEpoch,
  firstReservedEpoch,
  takeProducer,
  type FenceMemory,
} from './take-producer.ts';

const lastEpoch = 32_766;

/** A coordinator whose next answer is `next`. */
function coordinator(next: number, { abortRaises = 1 } = {}) {
  const begun: number[] = [];
  let owner: ProducerIdentity = { producerId: 7n, producerEpoch: next - 1 };
  let isOpen = false;
  const raise = (by: number): void => {
    owner =
      owner.producerEpoch >= lastEpoch
        ? { producerId: owner.producerId + 1n, producerEpoch: 0 }
        : { ...owner, producerEpoch: owner.producerEpoch + by };
  };
  let taken = 0;
  return {
    begun,
    get taken() {
      return taken;
    },
    take: () => {
      if (isOpen) raise(abortRaises);
      isOpen = false;
      raise(1);
      taken += 1;
      return Promise.resolve(owner);
    },
    addEverywhere: ({ producerEpoch }: ProducerIdentity) => {
      begun.push(producerEpoch);
      isOpen = true;
      return Promise.resolve();
    },
  };
}

const plain = { fencesFirst: false };

describe('a producer to write with', () => {
  it('is the first that is given out, by one question, far from the end', async () => {
    const kafka = coordinator(firstReservedEpoch - 1);
    expect(await takeProducer(kafka, plain)).toEqual({
      producerId: 7n,
      producerEpoch: firstReservedEpoch - 1,
    });
    expect(kafka.taken).toBe(1);
    expect(kafka.begun).toEqual([]);
  });

  it.each([1, 2])(
    'has another id, and every partition has refused the old one before, near the end (an abort raises the epoch by %i)',
    async (abortRaises) => {
      const kafka = coordinator(firstReservedEpoch, { abortRaises });
      expect(await takeProducer(kafka, plain)).toEqual({ producerId: 8n, producerEpoch: 0 });
      expect(kafka.begun).toEqual([firstReservedEpoch]);
    },
  );

  it('begins again where a process ended in the middle', async () => {
    const kafka = coordinator(firstQuietEpoch - 1);
    expect(await takeProducer(kafka, plain)).toEqual({ producerId: 8n, producerEpoch: 0 });
    expect(kafka.begun).toEqual([firstQuietEpoch - 1]);
  });

  it.each([firstQuietEpoch, lastEpoch - 1, lastEpoch])(
    'is asked for without a transaction at epoch %i, since Kafka may not be able to end it',
    async (epoch) => {
      const kafka = coordinator(epoch);
      expect(await takeProducer(kafka, plain)).toEqual({ producerId: 8n, producerEpoch: 0 });
      expect(kafka.begun).toEqual([]);
    },
  );

  it('is fenced for first where that is wanted, under the id that it has', async () => {
    const far = coordinator(3);
    expect(await takeProducer(far, { fencesFirst: true })).toEqual({
      producerId: 7n,
      producerEpoch: 5,
    });
    expect(far.begun).toEqual([3]);
    const near = coordinator(firstReservedEpoch - 2);
    expect(await takeProducer(near, { fencesFirst: true })).toEqual({
      producerId: 8n,
      producerEpoch: 2,
    });
    // The first was under an epoch behind which others may write.
    expect(near.begun).toEqual([firstReservedEpoch - 2, firstReservedEpoch, 0]);
  });

  it('has another id only behind a fence, however often a broker refuses to add partitions', async () => {
    const kafka = coordinator(firstReservedEpoch);
    const refused = new KafkaError('KAFKA_UNAVAILABLE', 'refused');
    const memory: FenceMemory = {};
    const unfenced: ProducerIdentity[] = [];
    const questions = { ...kafka, onUnfenced: (each: ProducerIdentity) => unfenced.push(each) };
    const inVain = { ...questions, addEverywhere: () => Promise.reject(refused) };
    for (let opening = 0; opening < 300; opening += 1)
      await expect(takeProducer(inVain, { ...plain, memory })).rejects.toBe(refused);
    expect(kafka.taken).toBe(1);
    expect(await takeProducer(questions, { ...plain, memory })).toEqual({
      producerId: 8n,
      producerEpoch: 0,
    });
    expect(kafka.begun).toEqual([firstReservedEpoch]);
    expect(unfenced).toEqual([]);
    expect(memory.unfenced).toBeUndefined();
  });

  it('asks for an epoch where somebody else has taken one since', async () => {
    const kafka = coordinator(firstReservedEpoch + 1);
    const memory = { unfenced: { producerId: 7n, producerEpoch: firstReservedEpoch } };
    const addEverywhere = (producer: ProducerIdentity): Promise<void> =>
      producer.producerEpoch === firstReservedEpoch
        ? Promise.reject(new KafkaError('KAFKA_FENCED', 'a newer one'))
        : kafka.addEverywhere(producer);
    const questions = { take: kafka.take, addEverywhere };
    expect(await takeProducer(questions, { ...plain, memory })).toMatchObject({ producerId: 8n });
    expect(kafka.begun).toEqual([firstReservedEpoch + 1]);
  });

  it('says which id has ended and may not be refused, where no epoch was left for it', async () => {
    const kafka = coordinator(firstQuietEpoch);
    const unfenced: ProducerIdentity[] = [];
    const questions = { ...kafka, onUnfenced: (each: ProducerIdentity) => unfenced.push(each) };
    await takeProducer(questions, plain);
    expect(unfenced).toEqual([{ producerId: 7n, producerEpoch: lastEpoch }]);
  });
});
