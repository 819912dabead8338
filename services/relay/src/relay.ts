import { toRelayError, type RelayError } from './errors.ts';
import { KnownOfSource } from './known-of-source.ts';
import { recoveryDelayMs } from './recovery-delay.ts';
import type { RelayObserver, RelayState } from './relay-observer.ts';
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
  const { clock, random } = parts;
  const observer = onlyChanges(parts.observer);
  const known = new KnownOfSource();
  let attempt = 0;
  let isStandby = false;
  while (!signal.aborted) {
    const startedMs = clock.nowMs();
    // A standby that asks is one until it has the slot.
    if (!isStandby) observer.stateChanged(attempt === 0 ? 'connecting' : 'recovering');
    try {
      await runSession({ ...parts, observer }, known, signal);
      attempt = 0;
      isStandby = false;
      observer.sessionEnded(undefined, signal.aborted ? undefined : 0);
    } catch (thrown) {
      const error = toRelayError(thrown);
      if (error.recovery.action === 'halt') {
        observer.sessionEnded(error, undefined);
        throw error;
      }
      if (signal.aborted) {
        // It was stopped in the midst of something; that is no failure.
        observer.sessionEnded(undefined, undefined);
        break;
      }
      attempt = clock.nowMs() - startedMs > steadyMs ? 0 : attempt + 1;
      const waitMs = waitAfter(error, attempt, random);
      const stays = isStandby && error.code === 'SOURCE_SLOT_BUSY';
      isStandby = error.recovery.action === 'standby';
      if (!stays) observer.sessionEnded(error, waitMs);
      if (isStandby) observer.waits(error);
      observer.stateChanged(isStandby ? 'standby' : 'recovering');
      await clock.sleep(waitMs, signal);
    }
  }
  observer.stateChanged('stopped');
}

/** The same observer, told of a state once. */
function onlyChanges(observer: RelayObserver): RelayObserver {
  let last: RelayState | undefined;
  return {
    ...observer,
    stateChanged: (state) => {
      if (state === last) return;
      last = state;
      observer.stateChanged(state);
    },
  };
}

/** A standby asks again at a steady pace, so that it takes over soon; everything else backs off. */
function waitAfter(error: RelayError, attempt: number, random: () => number): number {
  if (error.recovery.action === 'standby') return standbyPollMs * (0.75 + random() / 2);
  return recoveryDelayMs(attempt, random);
}
