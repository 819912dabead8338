import { eventTypes } from '@outbound/schemas';
import { readTopics } from '../../support/read-topics.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';
import type { Judgement } from './fault-row.ts';
import { judged } from './judged.ts';

/**
 * I6, by the server itself: what its slot would no longer give has to be in every topic now. To be asked while no relay holds the slot and Kafka can be read.
 */
export async function judgeProgress(pipeline: TestPipeline): Promise<Judgement> {
  const { sql, slot } = pipeline;
  const { rows: committed } = await sql.query<{ id: string }>('select distinct id from outbox');
  const kept = new Set<string>();
  // Inserts only; the id is the first column that is a UUID.
  const { rows: changes } = await sql.query<{ data: Buffer }>(
    `select data from pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', 'outbound') where get_byte(data, 0) = ascii('I')`,
    [slot],
  );
  for (const { data } of changes) {
    const id = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(data.toString('latin1'))?.[0];
    if (id === undefined) throw new Error('an insert of the slot has no event id');
    kept.add(id);
  }
  const topics = [...eventTypes.values()]
    .find(({ name }) => name === 'catalog.product-change')
    ?.routes.map(({ topic }) => pipeline.topic(topic));
  if (!topics) throw new Error('catalog.product-change is not declared');
  const found = new Map(topics.map((topic) => [topic, new Set<string>()]));
  await readTopics(pipeline.stack.kafka.directBootstrap, topics, ({ topic, eid }) => {
    if (eid !== undefined) found.get(topic)?.add(eid);
  });
  return judgeAcknowledged(
    committed.map(({ id }) => id),
    kept,
    [...found.values()],
  );
}

/** What was committed and is not kept by the slot is acknowledged, and has to be in every one of the topics. Pure. */
export function judgeAcknowledged(
  committed: readonly string[],
  kept: ReadonlySet<string>,
  topics: readonly ReadonlySet<string>[],
): Judgement {
  const acknowledged = committed.filter((id) => !kept.has(id));
  const early = acknowledged.filter((id) => topics.some((published) => !published.has(id)));
  return judged(
    'I6',
    early.length === 0,
    early.length === 0
      ? `${acknowledged.length} acknowledged, each in its topics; ${kept.size} kept by the slot`
      : `${early.length} events were acknowledged and are not in their topics, such as ${early[0] ?? ''}`,
  );
}
