import type { TestPipeline } from '../../support/test-pipeline.ts';
import { readTopics } from '../../support/read-topics.ts';

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** The ids of events that the slot has not been told of: what a relay that starts now would be sent. No relay may hold the slot. */
export async function waitingInSlot(pipeline: TestPipeline): Promise<Set<string>> {
  const { rows } = await pipeline.sql.query<{ data: Buffer }>(
    `select data from pg_logical_slot_peek_binary_changes($1, null, null,
       'proto_version', '1', 'publication_names', 'outbound')`,
    [pipeline.slot],
  );
  return new Set(rows.flatMap(({ data }) => data.toString('latin1').match(uuid) ?? []));
}

/** The ids of events that a topic of the pipeline holds. */
export async function eventsIn(pipeline: TestPipeline, topic: string): Promise<Set<string>> {
  const eids = new Set<string>();
  await readTopics(pipeline.stack.kafka.directBootstrap, [pipeline.topic(topic)], ({ eid }) => {
    if (eid !== undefined) eids.add(eid);
  });
  return eids;
}

/** Committed events that are neither in the topic nor waiting in the slot: those would be lost. For a relay that has stopped and must not go on. */
export async function unaccounted(pipeline: TestPipeline, topic: string): Promise<string[]> {
  const published = await eventsIn(pipeline, topic);
  const waiting = await waitingInSlot(pipeline);
  const { rows } = await pipeline.sql.query<{ id: string }>('select id from outbox');
  return rows.map(({ id }) => id).filter((id) => !published.has(id) && !waiting.has(id));
}
