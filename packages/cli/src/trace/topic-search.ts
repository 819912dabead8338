import type { KafkaRecord } from '@outbound/consumer';
import { isJsonObject, partitionOf, recordHeader, type Route } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import { CliError } from '../exit-codes.ts';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';
import { entityOf, jsonValueOf, versionOf } from '../records/record-value.ts';
import { KeySightings } from './key-sightings.ts';
import type { FoundRecord, TopicFinding } from './trace-report.ts';

/** What is looked for: an event, or (without `eid`) the state of an entity whose events the outbox holds no more. */
export interface Focus {
  readonly key: string;
  readonly eid: string | undefined;
  readonly version: number;
  readonly dataOp: 'C' | 'U' | 'D' | 'S';
  /** No record of it is older; undefined: unknown, so everything is read. */
  readonly sinceMs: number | undefined;
}

/**
 * Looks for the focus in one topic: only in the partition of its key, only from its time on, and no further than the
 * first record of the event.
 * @param route with the topic's full name
 */
export async function searchTopic(
  {
    admin,
    connection,
    signal,
  }: {
    readonly admin: KafkaAdmin;
    readonly connection: KafkaConnection;
    readonly signal: AbortSignal;
  },
  route: Route,
  focus: Focus,
): Promise<Omit<TopicFinding, 'groups'>> {
  const { topic, cleanupPolicy } = route;
  const about = { topic, cleanupPolicy, form: route.forms[focus.dataOp] };
  const nothing = { partition: undefined, record: undefined };
  let ranges;
  try {
    ranges = await admin.topicRanges(topic);
  } catch (thrown) {
    if (thrown instanceof CliError && thrown.code === 'TOPIC_MISSING')
      return { ...about, ...nothing, status: 'missing' };
    throw thrown;
  }
  const partition = partitionOf(focus.key, ranges.length);
  const low = ranges.find((range) => range.partition === partition)?.low ?? 0n;
  const from =
    focus.sinceMs === undefined
      ? low
      : ((await admin.offsetsAt(topic, focus.sinceMs)).find((each) => each.partition === partition)
          ?.offset ?? low);
  const sightings = new KeySightings(focus, cleanupPolicy);
  const enough = new AbortController();
  const key = Buffer.from(focus.key);
  await readPartitions({
    ...{ connection, topic },
    from: new Map([[partition, from]]),
    until: 'end',
    signal: AbortSignal.any([signal, enough.signal]),
    onRecords: (records) => {
      for (const record of records)
        if (record.key !== null && key.equals(record.key)) sightings.see(foundRecord(record));
      if (sightings.isDone) enough.abort();
    },
  });
  return {
    ...about,
    partition,
    ...sightings.finding({ mayHaveExpired: low > 0n && from <= low }),
  };
}

function foundRecord(record: KafkaRecord): FoundRecord {
  const value = jsonValueOf(record);
  const version = versionOf(entityOf(value)) ?? record.headers[recordHeader.dataVersion];
  const metadata = isJsonObject(value) ? value['metadata'] : undefined;
  const eid = isJsonObject(metadata) ? metadata['eid'] : undefined;
  const position = /^([0-9A-F]{1,8}\/[0-9A-F]{1,8}):\d+@/.exec(
    record.headers[recordHeader.sourceLsn] ?? '',
  );
  return {
    partition: record.partition,
    offset: record.offset,
    timestampMs: record.timestampMs,
    version: version === undefined ? undefined : Number(version),
    eid: [record.headers[recordHeader.id], eid].find(isId),
    isTombstone: record.value === null,
    commitLsn: position?.[1],
    isReplay: record.headers[recordHeader.replay] === 'true',
  };
}

/** An empty id is none. */
function isId(found: unknown): found is string {
  return typeof found === 'string' && found !== '';
}
