import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerLink } from '../connection/broker-link.ts';
import { KafkaError } from '../kafka-error.ts';

/** Another broker is asked when one has not answered for this long. */
const hedgeMs = 1000;

/**
 * The first answer of any of the brokers. Each next one is asked when the one before failed or has been silent for a
 * second.
 * @throws KafkaError KAFKA_UNAVAILABLE with everything that was in the way if no broker answers; another one if a
 * broker refuses us.
 */
export async function firstAnswer<Answer>(
  links: readonly BrokerLink[],
  ask: (link: BrokerLink) => Promise<Answer>,
): Promise<Answer> {
  const answered = new AbortController();
  const failures: Error[] = [];
  try {
    let before: Promise<unknown> = Promise.resolve();
    const attempts = links.map(async (link, index) => {
      const previous = before;
      let done: () => void = () => undefined;
      before = new Promise<void>((resolve) => (done = resolve));
      try {
        if (index > 0)
          await Promise.race([
            previous,
            delay(hedgeMs * index, undefined, { signal: answered.signal, ref: false }),
          ]);
        if (answered.signal.aborted) throw new KafkaError('KAFKA_UNAVAILABLE', 'not asked');
        return await ask(link);
      } catch (thrown) {
        failures.push(thrown instanceof Error ? thrown : new Error(String(thrown)));
        done();
        throw thrown;
      }
    });
    return await Promise.any(attempts);
  } catch {
    const refused = failures.find(
      (thrown) => !(thrown instanceof KafkaError) || thrown.code !== 'KAFKA_UNAVAILABLE',
    );
    if (refused !== undefined) throw refused;
    const reasons = failures.map(({ message }) => message);
    throw new KafkaError(
      'KAFKA_UNAVAILABLE',
      `no broker answers: ${[...new Set(reasons)].join('; ')}`,
      { cause: failures[0] },
    );
  } finally {
    answered.abort();
  }
}
