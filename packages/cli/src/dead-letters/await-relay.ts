import { setTimeout as delay } from 'node:timers/promises';
import { parkedKeyText, type ParkedState } from '@outbound/schemas';
import { readParkedStates, type LetterSource, type WaitingKey } from './waiting-keys.ts';

const withinMs = 20_000;
const everyMs = 500;

/**
 * Waits until the relay has freed the keys, or no key has changed for a while (20 s); gives those that are still
 * parked. A key is freed in Kafka, behind its letters: what is told here is what was published.
 * @throws CliError KAFKA_UNAVAILABLE; what the signal says, if it is aborted
 */
export async function awaitRelay(
  source: LetterSource,
  keys: readonly WaitingKey[],
): Promise<ReadonlyMap<string, ParkedState>> {
  const names = keys.map(({ aggregateType, aggregateId }) =>
    parkedKeyText(aggregateType, aggregateId),
  );
  let before = '';
  let changedMs = performance.now();
  for (;;) {
    const states = await readParkedStates(source);
    const still = new Map(
      names.flatMap((name) => {
        const state = states.get(name);
        return state ? [[name, state] as const] : [];
      }),
    );
    const now = JSON.stringify([...still]);
    if (now !== before) changedMs = performance.now();
    before = now;
    if (still.size === 0 || performance.now() - changedMs > withinMs) return still;
    await delay(everyMs, undefined, { signal: source.signal });
  }
}
