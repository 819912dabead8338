import { KafkaError } from '../kafka-error.ts';
import type { ProducerIdentity } from './producer-identity.ts';

/**
 * From here on no session writes: the epochs that are left are for getting to another producer id. So many that no run of lost
 * answers, each of which costs one, comes to the end unseen; few enough that asking for them all takes a second or two.
 */
export const firstReservedEpoch = 32_500;

/**
 * From here on no transaction is begun: releases of Kafka 4 cannot abort one of the last epoch, which would hold the name for ever
 * (KAFKA-19367). The last epoch is 32,766; behind it comes another producer id (`TransactionMetadata.isEpochExhausted`).
 */
export const firstQuietEpoch = 32_764;

/** What is to be done with a producer that the coordinator has given out. */
export type EpochStep = 'write' | 'fence everywhere' | 'ask again';

/**
 * `fenced`: the producer under which every partition was made to refuse older ones, since this opening began. `fencesFirst`: nothing
 * is written before that is so, whatever the epoch.
 */
export function epochStep(
  { producerId, producerEpoch }: ProducerIdentity,
  fenced: ProducerIdentity | undefined,
  fencesFirst: boolean,
): EpochStep {
  const isFenced = fenced?.producerId === producerId;
  if (producerEpoch < firstReservedEpoch)
    return fencesFirst && !isFenced ? 'fence everywhere' : 'write';
  // Under an epoch that nobody writes with: somebody else may have written since an earlier one was fenced.
  if (isFenced && fenced.producerEpoch >= firstReservedEpoch) return 'ask again';
  return producerEpoch < firstQuietEpoch ? 'fence everywhere' : 'ask again';
}

/** Questions to the coordinator of one transactional id. */
export interface ProducerQuestions {
  /** The next epoch. What an earlier one has left open as a transaction is aborted: its partitions refuse that epoch when this resolves. */
  readonly take: () => Promise<ProducerIdentity>;
  /** Begins an empty transaction of this producer over every partition that may be written to. */
  readonly addEverywhere: (producer: ProducerIdentity) => Promise<void>;
  /** Is told of a producer whose id has ended, and it is not known that every partition refuses it. Must not throw. */
  readonly onUnfenced?: (producer: ProducerIdentity) => void;
}

/** What one opening leaves to the next one of the same transactional id, in one process. */
export interface FenceMemory {
  /** It was given out to us, and `addEverywhere` failed with it. */
  unfenced?: ProducerIdentity | undefined;
}

/** Somebody took a newer epoch since, or the coordinator took this one away. */
const overtaken: ReadonlySet<string> = new Set(['KAFKA_FENCED', 'KAFKA_PRODUCER_LOST']);

/**
 * A producer to write with. An epoch fences the older ones of its producer id, and of no other; and ids have 32,767 epochs, so that once
 * in so many sessions Kafka gives another id out, and what the old one still has under way would be taken anywhere. Therefore the last
 * epochs are not written with: whoever gets one has every partition refuse all epochs before it (the markers of an aborted transaction
 * say so), and then asks on until the id is another. Between the two nobody has written under the old id, and whoever comes after a crash
 * begins again.
 *
 * Asked anew after a failure it goes on with the producer that it had (`memory`), so that a coordinator that refuses to add partitions, for however long, costs
 * no epochs: there are 264 of them from the first reserved one to where no transaction may be begun any more, and behind these an id ends without a fence
 * (`onUnfenced`). Each process that starts meanwhile costs one.
 *
 * `fencesFirst`: also without that need, every partition has refused older producers when this resolves, and not only from our first
 * write to it on.
 * @throws whatever the questions throw; asked anew, it goes on.
 */
export async function takeProducer(
  questions: ProducerQuestions,
  { fencesFirst, memory = {} }: { readonly fencesFirst: boolean; readonly memory?: FenceMemory },
): Promise<ProducerIdentity> {
  let fenced = await fencedAtLast(questions, memory);
  let before = fenced;
  for (;;) {
    const producer = await questions.take();
    if (before && before.producerId !== producer.producerId && !isOf(fenced, before))
      questions.onUnfenced?.(before);
    before = producer;
    const step = epochStep(producer, fenced, fencesFirst);
    if (step === 'write') return producer;
    if (step === 'ask again') continue;
    memory.unfenced = producer;
    await questions.addEverywhere(producer);
    memory.unfenced = undefined;
    // True when the next epoch is given out, and used by nobody before.
    fenced = producer;
  }
}

/** What an earlier opening had begun, carried out; undefined if it had begun nothing, or somebody came since. */
async function fencedAtLast(
  { addEverywhere }: ProducerQuestions,
  memory: FenceMemory,
): Promise<ProducerIdentity | undefined> {
  const { unfenced } = memory;
  if (!unfenced) return undefined;
  try {
    await addEverywhere(unfenced);
  } catch (thrown) {
    if (!(thrown instanceof KafkaError) || !overtaken.has(thrown.code)) throw thrown;
    memory.unfenced = undefined;
    return undefined;
  }
  memory.unfenced = undefined;
  return unfenced;
}

function isOf(one: ProducerIdentity | undefined, { producerId }: ProducerIdentity): boolean {
  return one?.producerId === producerId;
}
