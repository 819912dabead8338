import { freePorts } from '@outbound/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPipeline } from '../../../../test/support/test-pipeline.ts';
import { startTestStack, urlAs, type TestStack } from '../../../../test/support/test-stack.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { connectionTo } from '../kafka/test-support/kafka-topics.ts';
import { outbound } from '../test-support/outbound.ts';

interface Answer {
  readonly state: string;
  readonly sentence: string;
  readonly commit_lsn: string | null;
  readonly row: { readonly version: number; readonly deleted: boolean } | null;
  readonly slot: { readonly active: boolean; readonly lag_bytes: number | null } | null;
  readonly outbox: {
    readonly events: readonly { readonly eid: string; readonly version: number }[];
  };
  readonly topics:
    | readonly {
        readonly topic: string;
        readonly status: string;
        readonly partition: number;
        readonly offset: number;
        readonly tombstone: boolean;
        readonly groups: readonly { readonly group: string; readonly has_passed: boolean | null }[];
      }[]
    | null;
}

/** From the REST call to the readers, with the relay running, stopped, and after the deletion. */
describe('trace', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  it('says where an event is: delivered and read by whom, waiting for the relay, deleted, or gone from the outbox', async () => {
    await using pipeline = await TestPipeline.create(stack);
    const env = {
      OUTBOUND_DATABASE_URL: urlAs(pipeline.databaseUrl, 'outbound_operator'),
      OUTBOUND_KAFKA_BROKERS: stack.kafka.bootstrap.join(','),
      OUTBOUND_TOPIC_PREFIX: pipeline.topicPrefix,
      OUTBOUND_SLOT: pipeline.slot,
    };
    const trace = async (id: string, over: Record<string, string> = {}) => {
      const run = await outbound(['trace', id, '--json'], { env: { ...env, ...over } });
      return { code: run.code, err: run.err, answer: run.json()[0] as Answer };
    };
    let relay = await pipeline.startRelay();
    const { url } = await pipeline.startApi();
    const created = await fetch(`${url}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"sku":"SKU-1","name":"Ring","status":"ACTIVE"}',
    });
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const change = async (method: 'PATCH' | 'DELETE', version: number, body?: string) => {
      const answer = await fetch(`${url}/products/${id}`, {
        method,
        headers: {
          'if-match': `"${version}"`,
          ...(body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }),
        },
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.ok).toBe(true);
    };
    await pipeline.caughtUp();

    const delivered = await trace(id);
    expect(delivered).toMatchObject({
      code: 0,
      answer: {
        ...{ state: 'delivered', kind: 'entity', row: { version: 1, deleted: false } },
        commit_lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/) as string,
        topics: [
          { topic: pipeline.topic('catalog.product-change'), status: 'found', offset: 0 },
          { topic: pipeline.topic('catalog.product'), status: 'found', offset: 0, groups: [] },
        ],
      },
    });
    expect(delivered.answer.sentence).toBe(
      `version 1 of ${id} (C) is delivered to both topics; no consumer group reads it`,
    );

    const { partition = -1 } = delivered.answer.topics?.[0] ?? {};
    const admin = await openKafkaAdmin(connectionTo(stack.kafka));
    try {
      await admin.setGroupOffsets('billing', pipeline.topic('catalog.product-change'), [
        { partition, offset: 0n },
      ]);
    } finally {
      await admin.close();
    }
    const unread = await outbound(['trace', id], { env });
    expect(unread.out).toMatch(/group billing has not read it yet \(lag 1\)\n$/);
    expect(unread.out).toMatch(/committed at [0-9A-F]+\/[0-9A-F]+, slot confirmed/);

    await relay.terminate();
    await change('PATCH', 1, '{"name":"Nut"}');
    const waiting = await trace(id);
    expect(waiting).toMatchObject({
      code: 0,
      answer: { state: 'waiting', commit_lsn: null, row: { version: 2 }, slot: { active: false } },
    });
    expect(waiting.answer.slot?.lag_bytes).toBeGreaterThan(0);
    expect(waiting.answer.sentence).toMatch(
      /^version 2 of .* \(U\) is waiting: no relay is connected to slot .*, which is .*B behind$/,
    );
    // The first event has long arrived, and is told apart by its own id.
    const first = await trace(waiting.answer.outbox.events[1]?.eid ?? '');
    expect(first.answer).toMatchObject({
      kind: 'event',
      state: 'delivered',
      outbox: { retained: 2 },
    });

    relay = await pipeline.startRelay();
    await change('DELETE', 2);
    await pipeline.caughtUp();
    const deleted = await trace(id);
    expect(deleted.answer).toMatchObject({
      ...{ state: 'delivered', row: { version: 3, deleted: true } },
      topics: [
        {
          status: 'found',
          tombstone: false,
          groups: [{ group: 'billing', has_passed: false, lag: 3 }],
        },
        { status: 'found', tombstone: true },
      ],
    });
    expect(deleted.answer.outbox.events.map(({ version }) => version)).toEqual([3, 2, 1]);

    // Planted: a change that the slot is moved past, so that no relay will ever bring it.
    await relay.terminate();
    const other = await fetch(`${url}/products`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"sku":"SKU-2","name":"Lost","status":"ACTIVE"}',
    });
    const lost = (await other.json()) as { id: string };
    await pipeline.sql.query('select pg_replication_slot_advance($1, pg_current_wal_lsn())', [
      pipeline.slot,
    ]);
    relay = await pipeline.startRelay();
    expect(await trace(lost.id)).toMatchObject({
      code: 3,
      answer: {
        state: 'missing',
        topics: [{ status: 'absent' }, { status: 'absent' }],
        sentence: expect.stringContaining('although the slot has passed it') as string,
      },
    });

    // As retention does, and past the guard that keeps everyone else from it.
    await pipeline.sql.query('set session_replication_role = replica; truncate outbox');
    const old = await trace(id);
    expect(old).toMatchObject({
      code: 0,
      answer: { state: 'delivered', outbox: { retained: 0, events: [] } },
    });
    expect(old.answer.sentence).toMatch(/^version 3 of .* \(deleted\) is delivered to both topics/);

    expect(await trace('0198c0de-0000-7000-8000-000000000000')).toMatchObject({
      code: 3,
      answer: { state: 'not found', kind: 'nothing' },
    });
    const [port] = await freePorts(1);
    expect(await trace(id, { OUTBOUND_KAFKA_BROKERS: `127.0.0.1:${port ?? 0}` })).toMatchObject({
      code: 5,
      answer: { state: 'unknown', topics: null, row: { version: 3 } },
    });
    await relay.terminate();
  });
});
