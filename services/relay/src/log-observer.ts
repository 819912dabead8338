import type { Logger } from '@outbound/service-kit';
import { recoveries } from './errors.ts';
import { findingText } from './kafka/tail.ts';
import type { RelayObserver } from './relay-observer.ts';
import { lsnToText } from './wal/lsn.ts';

/** Partitions that one line names. */
const namedPartitions = 5;

/** Logs a relay's life: info for its edges, warn while it tries again (with the remedy), error when a person has to act. Never a payload or a key. */
export function createLogObserver(logger: Logger): RelayObserver {
  return {
    stateChanged: (state) => logger.info({ component: 'relay', state }, 'state changed'),
    sessionStarted: () => logger.info({ component: 'relay' }, 'session started'),
    sessionEnded: (error, retryInMs) => {
      if (!error) logger.info({ component: 'relay' }, 'session ended');
      else if (error.recovery.action === 'standby')
        logger.info({ component: 'relay', code: error.code, retryInMs }, error.recovery.remedy);
      else if (retryInMs === undefined)
        logger.error(
          { component: 'relay', code: error.code, remedy: error.recovery.remedy, error },
          'the relay stops',
        );
      // Longer waits mean that it fails again and again: louder.
      else
        logger[retryInMs > 5000 ? 'error' : 'warn'](
          {
            component: 'relay',
            code: error.code,
            remedy: error.recovery.remedy,
            retryInMs: Math.round(retryInMs),
            error,
          },
          'the session failed and starts again',
        );
    },
    eventSkipped: (eid, reason) =>
      logger.warn(
        { component: 'relay', eid, code: reason.code },
        'event left out, as RELAY_SKIP_EVENTS says',
      ),
    batchDelivered: () => undefined,
    recordWithheld: () => undefined,
    tailMet: (lane, records) =>
      logger.debug(
        { component: 'relay', lane, records },
        'a partition has these records already: its last one is in the log',
      ),
    tailsRefuted: (refuted) =>
      logger.warn(
        {
          component: 'relay',
          code: 'SOURCE_WENT_BACK',
          partitions: refuted.length,
          first: refuted.slice(0, namedPartitions).map(({ lane, tail, found, withheld }) => ({
            lane,
            eid: tail.eid,
            lsn: lsnToText(tail.position.commitLsn),
            found: findingText(found),
            withheld,
          })),
          remedy: recoveries.SOURCE_WENT_BACK.remedy,
        },
        'the last record of a partition is not in the log',
      ),
    sendFailed: (error, attempt) =>
      logger[attempt > 5 ? 'error' : 'warn'](
        { component: 'kafka', code: error.code, attempt, remedy: error.recovery.remedy, error },
        'a send failed and is tried again',
      ),
  };
}
