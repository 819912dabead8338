import { recordHeader } from '@outbound/contract';
import type { CommittedEvent, ConfirmedObservation } from '../history/history.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import { itemChange } from './workload.ts';

/**
 * I6 where poison is parked: an event that the slot has passed was in its topics by then, or in the dead letters. One
 * sentence for each that was not, and at most five. Observations in order of time.
 */
export function acknowledgedEarly(
  committed: readonly CommittedEvent[],
  confirmed: readonly ConfirmedObservation[],
  kafka: SimulatedKafka,
  letterTopic: string,
): string[] {
  const first = firstOffsets(kafka);
  const failures: string[] = [];
  let next = 0;
  for (const { confirmedLsn, endOffsets } of confirmed)
    for (; next < committed.length && failures.length < 5; next += 1) {
      const event = committed[next];
      if (event?.commitEndLsn === undefined || event.commitEndLsn > confirmedLsn) break;
      const isIn = (topic: string): boolean => {
        const found = first.get(`${topic} ${event.eid}`);
        return found !== undefined && found.offset < (endOffsets.get(found.lane) ?? 0);
      };
      const topics = itemChange.routes.map(({ topic }) => topic);
      if (topics.every(isIn) || isIn(letterTopic)) continue;
      failures.push(
        `I6 the slot confirmed ${confirmedLsn.toString(16)} while event ${event.eid}, committed before, was neither in its topics nor in the dead letters`,
      );
    }
  return failures;
}

/** Lane and offset of the first record of each event, by topic and event id. */
function firstOffsets(kafka: SimulatedKafka): Map<string, { lane: string; offset: number }> {
  const first = new Map<string, { lane: string; offset: number }>();
  for (const [lane, { log }] of kafka.partitions)
    for (const [offset, { record, isForeign }] of log.records.entries()) {
      const key = `${record.topic} ${record.headers[recordHeader.id] ?? ''}`;
      if (!isForeign && !first.has(key)) first.set(key, { lane, offset });
    }
  return first;
}
