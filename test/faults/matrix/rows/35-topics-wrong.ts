import { Kafka, logLevel } from 'kafkajs';
import { EntityWriter } from '../../../support/entity-writer.ts';
import { eventually } from '../../../support/eventually.ts';
import { makeTopic } from '../../../support/make-topic.ts';
import type { RelayProcess } from '../../../support/relay-process.ts';
import { TestPipeline } from '../../../support/test-pipeline.ts';
import { endsWithin } from '../ends-within.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { eventsIn, unaccounted } from '../slot-contents.ts';

const change = 'catalog.product-change';
const state = 'catalog.product';
/** The brokers would make a topic for whoever asks: that none appears is up to the relay. */
const eagerBrokers = { kafka: { settings: { 'auto.create.topics.enable': 'true' } } };

export const row: FaultRow = {
  number: 35,
  fault: 'topic missing / wrong cleanup.policy / fewer partitions / deleted while running',
  expected:
    'refused at the start and stopped while running, exit 31; none is made; goes on when it is provisioned',
  seeds: 1,
  inCi: false,
  run: async ({ stack, say }) => {
    const servers = await stack(eagerBrokers);
    const { kafka } = servers;
    const bites: string[] = [];
    const notes: string[] = [];
    const said = async (what: string, relay: RelayProcess, code: string) => {
      const exit = await endsWithin(relay);
      const tells = relay.stderr.join('\n').includes(code);
      say(`${what}: exit ${exit.code}, ${tells ? code : relay.tail()}`);
      if (exit.code === 31 && tells) bites.push(what);
      else notes.push(`${what}: exit ${exit.code} without ${code}`);
    };
    await using pipeline = await TestPipeline.create(servers);
    await EntityWriter.prepare(pipeline.sql);
    const writer = new EntityWriter(pipeline.sql);
    const admin = new Kafka({ brokers: kafka.directBootstrap, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      const nowhere = `${pipeline.topicPrefix}nowhere.`;
      await said(
        'missing',
        pipeline.launchRelay({ RELAY_TOPIC_PREFIX: nowhere }),
        'SINK_TOPIC_MISSING',
      );
      await kafka.tool('configs', [
        ...['--alter', '--entity-type', 'topics', '--entity-name', pipeline.topic(state)],
        ...['--add-config', 'cleanup.policy=delete'],
      ]);
      await said('wrong cleanup.policy', pipeline.launchRelay(), 'SINK_TOPIC_MISMATCH');
      await admin.deleteTopics({ topics: [pipeline.topic(state)] });
      await makeTopic(admin, {
        topic: pipeline.topic(state),
        numPartitions: 3,
        configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
      });
      await said('fewer partitions', pipeline.launchRelay(), 'SINK_TOPIC_MISMATCH');
      await admin.deleteTopics({ topics: [pipeline.topic(state)] });
      await provisioned(pipeline);

      const relay = await pipeline.startRelay();
      for (let n = 0; n < 100; n += 1) await writer.write(`entity-${n % 10}`);
      await pipeline.caughtUp();
      await admin.deleteTopics({ topics: [pipeline.topic(change)] });
      for (let n = 0; n < 100; n += 1) await writer.write(`entity-${n % 10}`);
      await said('deleted while running', relay, 'SINK_TOPIC_MISSING');
      const topics = await admin.listTopics();
      const made = topics.filter(
        (topic) => topic === pipeline.topic(change) || topic.startsWith(nowhere),
      );
      const lost = await eventually(() => unaccountedOrBusy(pipeline), { timeoutMs: 20_000 });

      await provisioned(pipeline);
      await pipeline.startRelay();
      for (let n = 0; n < 50; n += 1) await writer.write('afterwards');
      await pipeline.caughtUp();
      const { rows } = await pipeline.sql.query<{ id: string; later: boolean }>(
        `select id, aggregateid = 'afterwards' as later from outbox`,
      );
      const inState = await eventsIn(pipeline, state);
      const inChange = await eventsIn(pipeline, change);
      const missing = rows.filter(
        ({ id, later }) => !inState.has(id) || (later && !inChange.has(id)),
      );
      return {
        bit: `stopped with exit 31 at: ${bites.join(', ')}`,
        judged: [
          judged('I11', bites.length === 4, notes.join('; ') || 'each refusal names the topic'),
          judged(
            'I8',
            made.length === 0,
            made.length === 0 ? 'no topic was made by a write' : `made: ${made.join(', ')}`,
          ),
          judged('I6', lost.length === 0, `${lost.length} acknowledged and not published`),
          judged(
            'I1',
            missing.length === 0,
            `${rows.length} events, ${missing.length} missing in the topics that are there again`,
          ),
        ],
      };
    } finally {
      await admin.disconnect();
    }
  },
};

/** The topics as they are declared; one that is being deleted still has its name for a moment. */
async function provisioned(pipeline: TestPipeline): Promise<void> {
  await eventually(() => pipeline.provision().then(() => true), {
    timeoutMs: 30_000,
    intervalMs: 500,
  });
}

/** Undefined while the server still holds the slot for the relay that has ended. */
async function unaccountedOrBusy(pipeline: TestPipeline): Promise<string[] | undefined> {
  const { rows } = await pipeline.sql.query<{ active: boolean }>(
    'select active from pg_replication_slots where slot_name = $1',
    [pipeline.slot],
  );
  return rows[0]?.active === false ? unaccounted(pipeline, state) : undefined;
}
