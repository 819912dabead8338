import { eventTypes } from '@outbound/schemas';
import { contentHash } from '../history/content-hash.ts';
import { HistoryChecker, type Verdict } from '../history/history-checker.ts';
import type { FinalRow } from '../history/history.ts';
import { readTopics } from './read-topics.ts';
import { testDelivery, type TestPipeline } from './test-pipeline.ts';

export interface JudgeOptions {
  /** Records that may be there a second time: 0 without faults (I7). */
  readonly allowedDuplicates?: number;
  /** Records that a person has had published a second time: not even a relay that delivers exactly once can know them. */
  readonly repeatedByPeople?: number;
  readonly rolledBack?: readonly string[];
  /** Names (without prefix) of topics that Kafka has compacted since. */
  readonly compactedTopics?: readonly string[];
  readonly finalRows?: readonly FinalRow[];
  /** Events that the operator told the relay to leave out. */
  readonly leftOut?: readonly string[];
}

/** Compares what the pipeline's database committed with what its topics hold. To be called when all is quiet. */
export async function judgePipeline(
  pipeline: TestPipeline,
  options: JudgeOptions = {},
): Promise<Verdict> {
  const routes = new Map(
    [...eventTypes].map(([name, { routes }]) => [
      name,
      routes.map((route) => ({ ...route, topic: pipeline.topic(route.topic) })),
    ]),
  );
  const checker = new HistoryChecker({
    routes,
    allowedDuplicates:
      (options.repeatedByPeople ?? 0) +
      (testDelivery === 'exactly-once' ? 0 : (options.allowedDuplicates ?? 0)),
    compactedTopics: new Set((options.compactedTopics ?? []).map((name) => pipeline.topic(name))),
  });
  await readOutbox(pipeline, checker, new Set(options.leftOut));
  for (const eid of options.rolledBack ?? []) checker.rolledBack(eid);
  const topics = [
    ...new Set([...routes.values()].flatMap((each) => each.map(({ topic }) => topic))),
  ];
  await readTopics(pipeline.stack.kafka.directBootstrap, topics, (record) =>
    checker.record(record),
  );
  return checker.finish(options.finalRows ?? []);
}

interface OutboxRow {
  readonly id: string;
  readonly type: string;
  readonly aggregateid: string;
  readonly version: string;
  readonly data_op: 'C' | 'U' | 'D' | 'S';
  readonly payload: string;
}

/**
 * Tells the checker every committed event, once, also if a recovery wrote it again. Order per entity is by version, a snapshot after the change that made its
 * version, a deletion that a backfill says again after the first one: ids are made under the row's lock, in time's order, and a chunk of a backfill
 * begins (`created_at`) before deletions that it then waits for. Order between entities is not promised, so none has to be known.
 */
export async function readOutbox(
  { sql }: TestPipeline,
  checker: HistoryChecker,
  leftOut: ReadonlySet<string> = new Set(),
): Promise<void> {
  await sql.query('begin isolation level repeatable read read only');
  await sql.query(
    `declare rows no scroll cursor for
     select id, type, aggregateid, version, data_op, payload::text as payload
     from (select distinct on (id) * from outbox order by id, created_at) o
     order by aggregateid, version, data_op = 'S', id`,
  );
  for (;;) {
    const { rows } = await sql.query<OutboxRow>('fetch 5000 from rows');
    for (const row of rows)
      if (!leftOut.has(row.id))
        checker.committed({
          eid: row.id,
          type: row.type,
          aggregateId: row.aggregateid,
          version: Number(row.version),
          dataOp: row.data_op,
          valueHash: contentHash(row.payload),
        });
    if (rows.length === 0) break;
  }
  await sql.query('commit');
}
