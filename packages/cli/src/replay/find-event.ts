import { partitionOf, recordHeader } from '@outbound/contract';
import type { KafkaConnection } from '@outbound/service-kit';
import type pg from 'pg';
import { CliError, exitCodes } from '../exit-codes.ts';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';

/** Where an event is in a topic. */
export interface EventPlace {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
}

/** A record's time is its commit, after its row's creation; more only if a clock was set back. */
const clockSlackMs = 3_600_000;

/**
 * Finds the first publication of an event, replays left out. While its outbox row is retained only its own partition is
 * read, from its
 * creation on; after that, the whole topic.
 * @throws CliError EVENT_NOT_FOUND, exit 2
 */
export async function findEvent(parts: {
  readonly pool: pg.Pool;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly topic: string;
  readonly eid: string;
  readonly signal: AbortSignal;
}): Promise<EventPlace> {
  const { pool, connection, admin, topic, eid, signal } = parts;
  const ranges = await admin.topicRanges(topic);
  const { rows } = await pool.query<{ key: string; at: Date }>(
    'select aggregateid as key, created_at as at from outbox where id::text = $1 order by created_at limit 1',
    [eid],
  );
  const row = rows[0];
  let from = new Map(ranges.map(({ partition, low }) => [partition, low]));
  if (row) {
    const partition = partitionOf(row.key, ranges.length);
    const offsets = await admin.offsetsAt(topic, Math.max(0, row.at.getTime() - clockSlackMs));
    from = new Map(
      offsets.flatMap((each) => (each.partition === partition ? [[partition, each.offset]] : [])),
    );
  }
  let found: EventPlace | undefined;
  const enough = new AbortController();
  await readPartitions({
    connection,
    topic,
    from,
    until: 'end',
    signal: AbortSignal.any([signal, enough.signal]),
    onRecords: (records) => {
      const record = records.find(
        ({ headers }) =>
          headers[recordHeader.id] === eid && headers[recordHeader.replay] === undefined,
      );
      if (!record || found) return;
      found = record;
      enough.abort();
    },
  });
  if (found) return found;
  throw new CliError(
    'EVENT_NOT_FOUND',
    `event ${eid} is not in ${topic}${row ? '' : ', and its outbox row is not retained any more'}: outbound trace ${eid} says where it is`,
    { exitCode: exitCodes.usage },
  );
}
