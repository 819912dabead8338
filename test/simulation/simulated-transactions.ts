import {
  errorFromCode,
  KafkaError,
  type Committed,
  type OnWaiting,
  type ProducerIdentity,
} from '@outbound/kafka';
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
/** As in the real one: of a transaction that waits for the one before for a moment nothing is told. */
const tellConcurrentAfterMs = 1000;
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

  async add(
    producer: ProducerIdentity,
    lanes: readonly string[],
    onWaiting?: OnWaiting,
  ): Promise<void> {
    await this.#until((coordinator) => coordinator.add(this.#transactionalId, producer, lanes), {
      onWaiting,
    });
  }

  async commit(producer: ProducerIdentity, onWaiting?: OnWaiting): Promise<Committed> {
    await this.#until((coordinator) => coordinator.commit(this.#transactionalId, producer), {
      late: { probability: lateCommits },
      onWaiting,
    });
    return { isLastOfEpoch: this.#isInDoubt };
  }

  async retire(producer: ProducerIdentity, lanes: readonly string[], ms: number): Promise<void> {
    await Promise.race([
      this.#retire(producer, lanes).catch(() => undefined),
      this.#options.life.clock.sleep(ms),
    ]);
  }

  async wasAbortedByTime(producer: ProducerIdentity): Promise<boolean> {
    const { coordinator } = this.#options.kafka;
    const id = this.#transactionalId;
    return askCoordinator(this.#options, () => coordinator.wasAborted(id, producer)).catch(
      () => false,
    );
  }

  async #retire(producer: ProducerIdentity, lanes: readonly string[]): Promise<void> {
    const { coordinator } = this.#options.kafka;
    const id = this.#transactionalId;
    const added = await askCoordinator(this.#options, () => ({
      code: coordinator.add(id, producer, lanes),
    }));
    if (added.code === coordinatorError.none)
      await askCoordinator(this.#options, () => coordinator.retire(id, producer));
  }

  async #until(
    question: (coordinator: SimulatedCoordinator) => number,
    {
      late,
      onWaiting = () => undefined,
    }: {
      readonly late?: { readonly probability: number };
      readonly onWaiting?: OnWaiting | undefined;
    } = {},
  ): Promise<void> {
    const { kafka, life } = this.#options;
    const beganMs = kafka.scheduler.nowMs;
    const deadlineMs = beganMs + withinMs;
    for (let attempt = 0; ; attempt += 1) {
      const { code } = await askCoordinator(
        this.#options,
        () => ({ code: question(kafka.coordinator) }),
        kafka.weather.loseAnswer,
        late,
      ).catch((thrown: unknown) => {
        this.#isInDoubt = true;
        if (!(thrown instanceof RelayError) || kafka.scheduler.nowMs > deadlineMs) throw thrown;
        onWaiting(new KafkaError('KAFKA_UNAVAILABLE', thrown.message), attempt);
        return { code: coordinatorError.concurrentTransactions };
      });
      if (code === coordinatorError.none) return;
      if (code !== coordinatorError.concurrentTransactions || kafka.scheduler.nowMs > deadlineMs)
        throw toRelayError(errorFromCode(code, `transaction of ${this.#transactionalId}`));
      if (kafka.scheduler.nowMs - beganMs >= tellConcurrentAfterMs)
        onWaiting(errorFromCode(code, `transaction of ${this.#transactionalId}`), attempt);
      await life.clock.sleep(5);
    }
  }
}

/** As `ask`; a coordinator that is away is waited for in vain. */
function askCoordinator<T>(
  network: Network,
  answer: () => T,
  loseAnswer = 0,
  late?: { readonly probability: number },
): Promise<T> {
  const { kafka, life } = network;
  if (!kafka.isCoordinatorAway) return ask(network, answer, loseAnswer, late);
  return new Promise((_resolve, reject) => {
    if (!life.act()) return;
    life.after(
      requestTimeoutMs,
      () => reject(new RelayError('SINK_UNAVAILABLE', 'the coordinator is away')),
      'kafka',
    );
  });
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
