import { LineLimit, type Logger } from '@outbound/service-kit';
import { recoveries } from './errors.ts';
import { laneKey } from './kafka/publisher.ts';
import { StuckLanes } from './kafka/stuck-lanes.ts';
import { findingText } from './kafka/tail.ts';
import type { RelayObserver } from './relay-observer.ts';
import { lsnToText } from './wal/lsn.ts';

/** Partitions that one line names. */
const namedPartitions = 5;

/** Of each kind of failure one line in this time. */
const repeatMs = 10_000;
/** After so long without a failed send, with deliveries, an outage is told as over. */
const quietMs = 5_000;

const lettersTaken = {
  redrive: 'a dead letter is published',
  discard: 'dead letters were given up',
  'leave-out': 'a dead letter that came again was left out',
} as const;

/**
 * Logs a relay's life: info for its edges, warn while it tries again (with the remedy), error when a person has to act. Never a payload or a key.
 * What fails again and again is told once, and then once in ten seconds with how many lines were left out.
 */
export function createLogObserver(
  logger: Logger,
  nowMs: () => number = () => performance.now(),
): RelayObserver {
  const limit = new LineLimit({ everyMs: repeatMs, nowMs });
  let failedAtMs: number | undefined;
  const stuck = new StuckLanes(nowMs);
  return {
    stateChanged: (state) => {
      logger.info({ component: 'relay', state }, 'state changed');
    },
    waits: () => undefined,
    sessionStarted: () => logger.info({ component: 'relay' }, 'session started'),
    sessionEnded: (error, retryInMs) => {
      stuck.clear();
      if (!error) return logger.info({ component: 'relay' }, 'session ended');
      const { code, recovery } = error;
      const { action, remedy } = recovery;
      if (action === 'standby')
        return logger.info(
          { component: 'relay', code, why: error.message, retryInMs: round(retryInMs) },
          remedy,
        );
      if (retryInMs === undefined)
        return logger.error({ component: 'relay', code, remedy, error }, 'the relay stops');
      const line = limit.admit(`session ${code}`);
      // Longer waits mean that it fails again and again: louder.
      if (line)
        logger[retryInMs > 5000 ? 'error' : 'warn'](
          { component: 'relay', code, remedy, retryInMs: round(retryInMs), error, ...line },
          'the session failed and starts again',
        );
    },
    eventSkipped: (eid, reason) =>
      logger.warn(
        { component: 'relay', eid, code: reason.code },
        'event left out, as RELAY_SKIP_EVENTS says',
      ),
    eventParked: (event, reason) => {
      const { eid, type } = event;
      if (reason)
        logger.warn(
          { component: 'relay', eid, type, code: reason.code, error: reason.message },
          'event went to the dead letters, and its key waits behind it; see outbound dead-letters',
        );
      else
        logger.debug(
          { component: 'relay', eid, type },
          'event waits behind the dead letter of its key',
        );
    },
    letterTaken: ({ eid, type }, way, why) =>
      logger[way === 'leave-out' ? 'warn' : 'info'](
        { component: 'relay', eid, type, ...(why === '' ? {} : { why }) },
        lettersTaken[way],
      ),
    recordWithheld: () => undefined,
    tailsAhead: ({ partitions, startLsn, furthestLsn }) =>
      logger.info(
        {
          component: 'relay',
          partitions,
          slotLsn: lsnToText(startLsn),
          furthestLsn: lsnToText(furthestLsn),
          bytes: Number(furthestLsn - startLsn),
        },
        'the topics are ahead of the slot: what they hold is left out when the log has it',
      ),
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
          withheld: refuted.reduce((sum, { withheld }) => sum + withheld, 0),
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
    batchDelivered: ({ topic, partition }) => {
      stuck.confirmed(laneKey(topic, partition));
      if (failedAtMs === undefined || nowMs() - failedAtMs < quietMs || !stuck.isEmpty) return;
      failedAtMs = undefined;
      logger.info({ component: 'kafka' }, 'sends go through again');
    },
    sendFailed: (error, attempt, lanes) => {
      const { code, recovery } = error;
      stuck.failed(lanes, code, attempt);
      failedAtMs = nowMs();
      const line = limit.admit(`send ${code}`);
      if (line)
        logger[attempt > 5 ? 'error' : 'warn'](
          {
            ...{ component: 'kafka', code, attempt, remedy: recovery.remedy, error },
            ...(lanes.length === 0 ? {} : { lanes: lanes.slice(0, namedPartitions) }),
            ...line,
          },
          'a send failed and is tried again',
        );
    },
  };
}

function round(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}
