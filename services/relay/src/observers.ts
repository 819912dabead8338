import type { RelayObserver } from './relay-observer.ts';

/** One observer that tells several. */
export function observers(...each: readonly Partial<RelayObserver>[]): RelayObserver {
  return {
    stateChanged: (...args) => each.forEach((observer) => observer.stateChanged?.(...args)),
    waits: (...args) => each.forEach((observer) => observer.waits?.(...args)),
    sessionStarted: (...args) => each.forEach((observer) => observer.sessionStarted?.(...args)),
    sessionEnded: (...args) => each.forEach((observer) => observer.sessionEnded?.(...args)),
    eventSkipped: (...args) => each.forEach((observer) => observer.eventSkipped?.(...args)),
    eventParked: (...args) => each.forEach((observer) => observer.eventParked?.(...args)),
    letterTaken: (...args) => each.forEach((observer) => observer.letterTaken?.(...args)),
    batchDelivered: (...args) => each.forEach((observer) => observer.batchDelivered?.(...args)),
    recordWithheld: (...args) => each.forEach((observer) => observer.recordWithheld?.(...args)),
    tailsAhead: (...args) => each.forEach((observer) => observer.tailsAhead?.(...args)),
    tailMet: (...args) => each.forEach((observer) => observer.tailMet?.(...args)),
    tailsRefuted: (...args) => each.forEach((observer) => observer.tailsRefuted?.(...args)),
    sendFailed: (...args) => each.forEach((observer) => observer.sendFailed?.(...args)),
  };
}
