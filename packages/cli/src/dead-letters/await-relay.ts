import { parkedKeyText } from '@outbound/contract';
import { systemClock, type Clock } from '@outbound/service-kit';
import type { JournalledKey, WaitingKey } from './waiting-keys.ts';

const withinMs = 20_000;
const everyMs = 500;

/** A key, as it was found, of which letters were written into the outbox again or given up. */
export interface WrittenKey {
  readonly key: WaitingKey;
  /** The number of the last letter that was. */
  readonly upTo: number;
}

/**
 * Waits until the relay has dealt with what was written, or no key has changed for a while (20 s); gives, by
 * `parkedKeyText`, the keys that are parked then. A key is freed in Kafka, behind its letters: what is told here is
 * what was published. `read` gives the journal.
 * @throws CliError KAFKA_UNAVAILABLE; what the signal says, if it is aborted
 */
export async function awaitRelay(
  read: () => Promise<ReadonlyMap<string, JournalledKey>>,
  written: readonly WrittenKey[],
  { signal, clock = systemClock }: { readonly signal: AbortSignal; readonly clock?: Clock },
): Promise<ReadonlyMap<string, JournalledKey>> {
  const awaited = new Map(
    written.map((each) => [parkedKeyText(each.key.aggregateType, each.key.aggregateId), each]),
  );
  let before = '';
  let changedMs = clock.nowMs();
  for (;;) {
    const parked = await read();
    const left = [...awaited].filter(([name, each]) => !isDealtWith(each, parked.get(name)));
    const now = JSON.stringify(left.map(([name]) => [name, parked.get(name)]));
    if (now !== before) changedMs = clock.nowMs();
    before = now;
    if (left.length === 0 || clock.nowMs() - changedMs > withinMs) return parked;
    await clock.sleep(everyMs, signal);
    signal.throwIfAborted();
  }
}

/** Free, or as far as it can come; or the relay has tried the next letter since, and still cannot publish it. */
function isDealtWith({ key, upTo }: WrittenKey, now: JournalledKey | undefined): boolean {
  if (now?.state.since !== key.state.since) return true;
  return now.state.done >= upTo || (now.isKept && now.place !== key.place);
}
