import { setTimeout as delay } from 'node:timers/promises';
import { KafkaError } from '../kafka-error.ts';

const withinMs = 5000;
const pauseMs = 250;
const passing: ReadonlySet<string> = new Set(['KAFKA_UNAVAILABLE', 'KAFKA_PARTITION_UNAVAILABLE']);

/**
 * The answer to a question that changes nothing, or the same however often it is done: asked again for up to 5 s
 * while leaders and coordinators move or load, which is when a cluster is new or a broker has gone.
 * @throws what the last attempt threw; at once what does not pass by itself.
 */
export async function askAgain<Answer>(question: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await question();
    } catch (thrown) {
      const passes = thrown instanceof KafkaError && passing.has(thrown.code);
      if (!passes || performance.now() + pauseMs > deadline) throw thrown;
      await delay(pauseMs);
    }
  }
}
