import { toRelayError, type RelayError } from './errors.ts';
import { RefutedTails } from './kafka/tail.ts';
import { recoveryDelayMs } from './recovery-delay.ts';
import type { RelayParts } from './relay-parts.ts';
import { runSession } from './session.ts';

const standbyPollMs = 1000;
/** A session that lived this long was a good one: the next failure starts with a short wait again. */
const steadyMs = 30_000;

/**
 * Runs sessions one after the other until the signal aborts: a session holds the slot and a producer, and whatever goes wrong ends
 * both, so that every recovery is a start (one mechanism for crash, reconnect, takeover and renewal).
 * @throws RelayError whose recovery is `halt`: a person has to act.
 */
export async function runRelay(parts: RelayParts, signal: AbortSignal): Promise<void> {
  const { clock, observer, random } = parts;
  const refuted = new RefutedTails();
  let attempt = 0;
  while (!signal.aborted) {
    const startedMs = clock.nowMs();
    observer.stateChanged(attempt === 0 ? 'connecting' : 'recovering');
    try {
      await runSession(parts, refuted, signal);
      attempt = 0;
      observer.sessionEnded(undefined, signal.aborted ? undefined : 0);
    } catch (thrown) {
      const error = toRelayError(thrown);
      if (error.recovery.action === 'halt') {
        observer.sessionEnded(error, undefined);
        throw error;
      }
      attempt = clock.nowMs() - startedMs > steadyMs ? 0 : attempt + 1;
      const waitMs = waitAfter(error, attempt, random);
      observer.sessionEnded(error, waitMs);
      observer.stateChanged(error.recovery.action === 'standby' ? 'standby' : 'recovering');
      await clock.sleep(waitMs, signal);
    }
  }
  observer.stateChanged('stopped');
}

/** A standby asks again at a steady pace, so that it takes over soon; everything else backs off. */
function waitAfter(error: RelayError, attempt: number, random: () => number): number {
  if (error.recovery.action === 'standby') return standbyPollMs * (0.75 + random() / 2);
  return recoveryDelayMs(attempt, random);
}
