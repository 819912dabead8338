import { errorFromCode, type Committed, type ProducerIdentity } from '@outbound/kafka';
import { RelayError, toRelayError } from '../../services/relay/src/errors.ts';
import type { Life } from './life.ts';
import { coordinatorError, type SimulatedCoordinator } from './simulated-coordinator.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import { requestTimeoutMs } from './simulated-session.ts';

/** A process, and the cluster that it talks to. */
interface Network {
  readonly kafka: SimulatedKafka;
  readonly life: Life;
}

const withinMs = 15_000;
/** Probability that a commit is given up, and carried out behind the beginning of another transaction. */
const lateCommits = 0.03;

/** Asks the coordinator until it answers for good, as the real `fence` and `Transactions` do. */
export class SimulatedTransactions {
  readonly #options: Network;
  readonly #transactionalId: string;
  #isInDoubt = false;

  constructor(options: Network, transactionalId: string) {
    this.#options = options;
    this.#transactionalId = transactionalId;
  }

  async init(): Promise<ProducerIdentity> {
    let identity: ProducerIdentity | undefined;
    await this.#until((coordinator) => {
      identity = coordinator.init(this.#transactionalId);
      return identity ? coordinatorError.none : coordinatorError.concurrentTransactions;
    });
    if (!identity) throw new Error('the coordinator has given nothing out');
    // What was asked under an older epoch is refused now.
    this.#isInDoubt = false;
    return identity;
  }

  async add(producer: ProducerIdentity, lanes: readonly string[]): Promise<void> {
    await this.#until((coordinator) => coordinator.add(this.#transactionalId, producer, lanes));
  }

  async commit(producer: ProducerIdentity): Promise<Committed> {
    await this.#until((coordinator) => coordinator.commit(this.#transactionalId, producer), {
      probability: lateCommits,
    });
    return { isLastOfEpoch: this.#isInDoubt };
  }

  async #until(
    question: (coordinator: SimulatedCoordinator) => number,
    late?: { readonly probability: number },
  ): Promise<void> {
    const { kafka, life } = this.#options;
    const deadlineMs = kafka.scheduler.nowMs + withinMs;
    for (;;) {
      const { code } = await ask(
        this.#options,
        () => ({ code: question(kafka.coordinator) }),
        kafka.weather.loseAnswer,
        late,
      ).catch((thrown: unknown) => {
        this.#isInDoubt = true;
        if (!(thrown instanceof RelayError) || kafka.scheduler.nowMs > deadlineMs) throw thrown;
        return { code: coordinatorError.concurrentTransactions };
      });
      if (code === coordinatorError.none) return;
      if (code !== coordinatorError.concurrentTransactions || kafka.scheduler.nowMs > deadlineMs)
        throw toRelayError(errorFromCode(code, `transaction of ${this.#transactionalId}`));
      await life.clock.sleep(5);
    }
  }
}

/**
 * A question to any living broker; `loseAnswer` is the probability that it acts and nobody hears of it. `late` is the probability that
 * it is carried out when nobody waits for it any more.
 */
export function ask<T>(
  { kafka, life }: Network,
  answer: () => T,
  loseAnswer = 0,
  late?: { readonly probability: number },
): Promise<T> {
  const { scheduler, chance } = kafka;
  return new Promise((resolve, reject) => {
    if (!life.act()) return;
    const later = (ms: number, run: () => void): void => {
      scheduler.after(ms, () => life.deliver('kafka', run));
    };
    const refuse = (): void => reject(new RelayError('SINK_UNAVAILABLE', 'no broker answers'));
    if (kafka.cutOff.has(life) || chance.happens(kafka.weather.loseRequest))
      return later(requestTimeoutMs, refuse);
    if (late && !kafka.coordinator.isPunctual && chance.happens(late.probability)) {
      kafka.coordinator.beLate(answer);
      return later(requestTimeoutMs, refuse);
    }
    const delayMs = chance.happens(kafka.weather.delayRequest)
      ? chance.unit() * requestTimeoutMs
      : 3;
    scheduler.after(chance.between(0.2, 1 + delayMs), () => {
      if (!kafka.hasLivingBroker) return later(chance.between(1, requestTimeoutMs), refuse);
      const answered = answer();
      if (loseAnswer > 0 && chance.happens(loseAnswer)) return later(requestTimeoutMs, refuse);
      later(chance.between(0.2, 4), () => resolve(answered));
    });
  });
}
