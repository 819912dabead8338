import type { OutboundRecord } from '../../services/relay/src/kafka/outbound-record.ts';
import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import { sourcePositionToText } from '../../services/relay/src/wal/source-position.ts';
import { recordHeader } from '@outbound/contract';
import { contentHash } from '../history/content-hash.ts';
import type { PublishedRecord } from '../history/history.ts';
import type { SimulatedKafka } from './simulated-kafka.ts';
import { isDeadLetterLane } from './simulated-publisher.ts';
import type { Workload } from './workload.ts';

/** As the relay of another slot writes: well-formed, with a position ahead of ours. */
export function foreignRecord(lane: string, lsn: Lsn): OutboundRecord {
  const slash = lane.lastIndexOf('/');
  const position = { commitLsn: (lsn + 0x10_0000n) as Lsn, index: 0 };
  return {
    topic: lane.slice(0, slash),
    partition: Number(lane.slice(slash + 1)),
    key: 'of another source',
    value: Buffer.from('{}'),
    headers: { [recordHeader.sourceLsn]: sourcePositionToText(position, 'f0f0f0f0') },
    position,
    timestampMs: 0,
  };
}

/** What the topics hold of the present history: what they hold of a lost one is nobody's fault any more. */
export function* publishedRecords(
  kafka: SimulatedKafka,
  lost: ReadonlySet<string>,
): Generator<PublishedRecord> {
  for (const [lane, { log }] of kafka.partitions) {
    const partition = Number(lane.slice(lane.lastIndexOf('/') + 1));
    for (const [offset, { record, isForeign }] of log.records.entries()) {
      if (isForeign || isDeadLetterLane(lane) || lost.has(record.headers[recordHeader.id] ?? ''))
        continue;
      yield {
        topic: record.topic,
        partition,
        offset,
        key: record.key,
        eid: record.headers[recordHeader.id],
        valueHash: record.value === null ? null : contentHash(record.value),
        dataOp: record.headers[recordHeader.dataOp],
      };
    }
  }
}

/** Nothing of a lost history may come behind what the present one has written of the same item (I4). */
export function lostBehindNew(kafka: SimulatedKafka, { lost, changedSince }: Workload): string[] {
  const last = new Map<string, string>();
  for (const [lane, { log }] of kafka.partitions)
    for (const { record, isForeign } of log.records)
      if (!isForeign && !isDeadLetterLane(lane))
        last.set(`${record.topic} ${record.key}`, record.headers[recordHeader.id] ?? '');
  return [...last].flatMap(([place, eid]) =>
    lost.has(eid) && changedSince.has(place.slice(place.indexOf(' ') + 1))
      ? [`I4 ${place}: the last record is event ${eid} of a lost history`]
      : [],
  );
}
