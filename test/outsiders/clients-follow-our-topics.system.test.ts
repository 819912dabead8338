import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { RelayProcess } from '../support/relay-process.ts';
import { TestPipeline } from '../support/test-pipeline.ts';
import { startTestStack, type TestStack } from '../support/test-stack.ts';
import { CatalogClient } from './catalog-client.ts';
import { byKey, committedEvents, type CommittedEvent } from './committed-events.ts';
import { startConnect, type ConnectWorker } from './connect-worker.ts';
import { documentedBlock } from './documented.ts';
import { startGroupMember } from './group-member.ts';
import { kcatRead } from './kcat-read.ts';
import { pythonWithKafka } from './python-client.ts';
import type { SeenRecord } from './seen-record.ts';
import { startStateTable } from './state-table.ts';

/** Clients of other makers that stay: what is written while they run reaches them too. */
describe('a client of other makers that follows', () => {
  let stack: TestStack;
  let pipeline: TestPipeline;
  let catalog: CatalogClient;
  let bootstrap: string;
  let relay: RelayProcess;
  beforeAll(async () => {
    stack = await startTestStack();
    pipeline = await TestPipeline.create(stack);
    bootstrap = stack.kafka.bootstrap.join(',');
    const [{ url }, started] = await Promise.all([pipeline.startApi(), pipeline.startRelay()]);
    relay = started;
    catalog = new CatalogClient(url);
    await catalog.create(80);
    await catalog.change(catalog.live.slice(0, 60), 'Changed — 変更');
    await catalog.delete(catalog.live.slice(50, 70));
  });
  afterAll(async () => {
    await pipeline[Symbol.asyncDispose]();
    await stack[Symbol.asyncDispose]();
  });

  it('as a group of two Python members gets every event once, each key in order, and commits what it has done', async () => {
    const python = await pythonWithKafka();
    const topic = pipeline.topic('catalog.product-change');
    const group = 'python';
    const member = { bootstrap, group, topic };
    await using first = await startGroupMember(python, member);
    await eventually(async () => (await first.assigned()).length === 6, { timeoutMs: 60_000 });
    await using second = await startGroupMember(python, member);
    // While they share the partitions anew, and while one of them leaves, changes go on.
    await catalog.change(catalog.live.slice(0, 30), 'during the rebalance');
    await eventually(
      async () => (await first.assigned()).length === 3 && (await second.assigned()).length === 3,
      { timeoutMs: 60_000 },
    );
    await catalog.change(catalog.live, 'shared by two');
    await first.end();
    await catalog.change(catalog.live.slice(10, 40), 'the second alone');
    await catalog.delete(catalog.live.slice(0, 5));
    await catalog.create(10);

    const committed = await committedEvents(pipeline, 'catalog.product-change');
    const done = await eventually(
      async () => {
        const all = [...(await first.effects()), ...(await second.effects())];
        return all.length >= committed.length && all;
      },
      { timeoutMs: 60_000 },
    );
    await second.end();
    expect((await first.effects()).length).toBeGreaterThan(0);
    expect((await second.effects()).length).toBeGreaterThan(0);
    const found = byKey(done);
    for (const [key, events] of byKey(committed))
      // In the order in which they were done: the first member's come before the second's.
      expect(found.get(key)).toMatchObject(
        events.map(({ eid, version, payload }) => ({ eid, version, value: payload })),
      );
    expect(done).toHaveLength(committed.length);

    const admin = new Kafka({
      brokers: [...stack.kafka.bootstrap],
      logLevel: logLevel.NOTHING,
    }).admin();
    await admin.connect();
    try {
      const ends = await admin.fetchTopicOffsets(topic);
      const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      expect(
        new Map(offsets?.partitions.map(({ partition, offset }) => [partition, offset])),
      ).toEqual(new Map(ends.map(({ partition, high }) => [partition, high])));
    } finally {
      await admin.disconnect();
    }
  });

  it('as a KTable of Kafka Streams holds what the database holds, deletions included', async () => {
    const topic = pipeline.topic('catalog.product');
    await using table = await startStateTable(bootstrap, 'streams', topic);
    const equalsDatabase = async (): Promise<number> => {
      await pipeline.caughtUp();
      const rows = await Promise.all(catalog.live.map(async (id) => catalog.read(id)));
      return eventually(
        async () => {
          const values = await table.values();
          const data = values?.map((value) => value.slice(value.indexOf('"data":') + 7, -1)).sort();
          expect(data).toEqual(rows.sort());
          return rows.length;
        },
        { timeoutMs: 60_000, intervalMs: 100 },
      );
    };
    const before = await equalsDatabase();
    await catalog.create(20);
    await catalog.change(catalog.live.slice(0, 20), 'while the table is open');
    await catalog.delete(catalog.live.slice(10, 25));
    expect(await equalsDatabase()).toBe(before + 5);
    // No second copy of the topic in Kafka.
    const { stdout } = await stack.kafka.tool('topics', ['--list']);
    expect(stdout).toContain(topic);
    expect(stdout).not.toContain('changelog');
  });

  describe('as Kafka Connect', () => {
    let connect: ConnectWorker;
    let committed: CommittedEvent[];
    /** In the worker's folder. */
    const sinkFile = 'product-changes.ndjson';
    let stateBefore: number;
    beforeAll(async () => {
      await pipeline.sql.query(documentedBlock('sql'));
      await pipeline.caughtUp();
      stateBefore = (await kcatRead(bootstrap, pipeline.topic('catalog.product'))).length;
      expect((await relay.terminate()).code).toBe(0);
      // While nobody reads the log.
      await catalog.change(catalog.live.slice(0, 20), 'without a relay');
      await catalog.delete(catalog.live.slice(0, 5));
      const { hostname, port, pathname } = new URL(pipeline.databaseUrl);
      const database = {
        'database.hostname': hostname,
        'database.port': port,
        'database.dbname': pathname.slice(1),
        'heartbeat.interval.ms': '500',
      };
      connect = await startConnect(bootstrap, [
        {
          file: 'file-sink.properties',
          changed: { topics: pipeline.topic('catalog.product-change'), file: sinkFile },
        },
        { file: 'debezium-beside.properties', changed: database },
        {
          file: 'debezium-takeover.properties',
          changed: {
            ...database,
            'slot.name': pipeline.slot,
            'transforms.route.route.topic.replacement': `${pipeline.topicPrefix}\${routedByValue}-change`,
          },
        },
      ]);
      // While Debezium reads it.
      await catalog.create(10);
      await catalog.change(catalog.live.slice(0, 30), 'read by Debezium');
      await catalog.delete(catalog.live.slice(0, 5));
      committed = await committedEvents(pipeline, 'catalog.product-change');
    });
    afterAll(() => connect[Symbol.asyncDispose]());

    /** Resolves with the records of a topic when there are as many as events. */
    const allRecords = async (topic: string): Promise<SeenRecord[]> =>
      eventually(
        async () => {
          await connect.refuseFailures();
          const records = await kcatRead(bootstrap, topic);
          return records.length >= committed.length && records;
        },
        { timeoutMs: 90_000, intervalMs: 500 },
      );

    /** Every event once, each key in order and in one partition, key and value as they were committed. */
    const expectEveryChange = (records: readonly SeenRecord[]): void => {
      expect(records).toHaveLength(committed.length);
      const found = byKey(records);
      for (const [key, events] of byKey(committed)) {
        expect(found.get(key)).toMatchObject(
          events.map(({ eid, payload, dataOp }) => ({
            value: payload,
            headers: {
              ce_id: eid,
              ce_type: 'catalog.product-change',
              ce_subject: key,
              data_op: dataOp,
            },
          })),
        );
        expect(new Set(found.get(key)?.map(({ partition }) => partition)).size).toBe(1);
      }
    };

    it("Debezium's Outbox Event Router beside the relay reads the retained events and the new ones from our outbox", async () => {
      const records = await allRecords('outbox.event.catalog.product');
      expectEveryChange(records);
      expect(records[0]?.headers['id']).toBe(records[0]?.headers['ce_id']);
    });

    it('Debezium in place of the relay continues its topic from its slot, in the same partitions, and leaves the compacted topic as it was', async () => {
      expectEveryChange(await allRecords(pipeline.topic('catalog.product-change')));
      const state = await kcatRead(bootstrap, pipeline.topic('catalog.product'));
      expect(state).toHaveLength(stateBefore);
    });

    it('Debezium lets both slots advance while the outbox is quiet and other tables are written', async () => {
      await pipeline.sql.query('create table other as select generate_series(1, 1000) as n');
      const target = await pipeline.walEnd();
      await eventually(
        async () => {
          await connect.refuseFailures();
          const { rows } = await pipeline.sql.query<{ slots: string }>(
            'select count(*) as slots from pg_replication_slots where confirmed_flush_lsn >= $1::pg_lsn',
            [target],
          );
          return rows[0]?.slots === '2';
        },
        { timeoutMs: 60_000 },
      );
    });

    it('a sink receives every event', async () => {
      const lines = await eventually(
        async () => {
          const text = await readFile(join(connect.program.folder, sinkFile), 'utf8');
          const all = text.split('\n').slice(0, -1);
          return all.length >= committed.length && all;
        },
        { timeoutMs: 60_000 },
      );
      expect(lines.sort()).toEqual(committed.map(({ payload }) => payload).sort());
    });

    it('after which the relay continues the topic from the same slot, without a gap and in order', async () => {
      await connect.program.end();
      relay = await pipeline.startRelay();
      await catalog.change(catalog.live.slice(0, 20), 'the relay again');
      await catalog.delete(catalog.live.slice(0, 5));
      await pipeline.caughtUp();
      committed = await committedEvents(pipeline, 'catalog.product-change');
      const records = await kcatRead(bootstrap, pipeline.topic('catalog.product-change'));
      // What the connector had not confirmed may come twice.
      const seen = new Set<string>();
      const firsts = records.filter(({ headers }) => {
        const eid = headers['ce_id'] ?? '';
        return !seen.has(eid) && seen.add(eid);
      });
      expectEveryChange(firsts);
    });
  });
});
