import { KafkaError } from '../kafka-error.ts';

/**
 * What a broker answered; the error, if no answer came; undefined as soon as the signal aborts: an answer may take as
 * long as a broker likes, and what becomes of it then is nobody's concern.
 * @throws what is no KafkaError
 */
export async function answerOf<Answer>(
  work: Promise<Answer>,
  signal: AbortSignal,
): Promise<Answer | KafkaError | undefined> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return undefined;
  }
  const answered = work.catch((thrown: unknown) => {
    if (thrown instanceof KafkaError) return thrown;
    throw thrown;
  });
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined);
    signal.addEventListener('abort', aborted, { once: true });
    answered.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
