import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import { TransactionAssembler } from '../wal/transaction-assembler.ts';
import { createOutboxDatabase, eid } from '../wal/test-support/outbox-database.ts';
import { RecordingReader } from '../wal/test-support/recording-reader.ts';
import { OutboxDecoder } from './decode-outbox-event.ts';
import type { OutboxEvent } from './outbox-event.ts';

/** Reads events as the relay does. */
class EventReader extends RecordingReader {
  readonly events: OutboxEvent[] = [];
  readonly #decoder = new OutboxDecoder();
  readonly #eventAssembler = new TransactionAssembler({
    begin: () => undefined,
    relation: (relation) => this.#decoder.useRelation(relation),
    insert: (tuple, position, commitTimeMs) => {
      this.events.push(this.#decoder.decode(tuple, position, commitTimeMs));
    },
    commit: () => undefined,
  });
  override message(bytes: Buffer): void {
    this.#eventAssembler.read(bytes);
    super.message(bytes);
  }
}

describe.each([18, 15] as const)('an outbox row of Postgres %i', (major) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major });
  });
  afterAll(async () => server.close());

  // Trap 2.13: the library's parsers round numbers and drop microseconds.
  it.each([false, true])(
    'comes out as it went in, to the last digit and microsecond (partitioned: %s), whatever the database prints by default',
    async (isPartitioned) => {
      await using db = await createOutboxDatabase(server, { isPartitioned });
      await db.admin.query(
        `alter database ${db.name} set timezone = 'Asia/Kolkata'; alter database ${db.name} set datestyle = 'German'`,
      );
      const payload =
        ' {"n": 12345678901234567890,"x":0.10000000000000000001, "dup":1,"dup":2, "text":"ä\\u0041😀\\n", "z": 1e400 }';
      const reader = new EventReader();
      const stream = await db.source().open(reader);
      const startedMs = Date.now();
      await db.admin.query(
        `insert into outbox values ($1, 'catalog.product', 'ä/1 ''x''', 'catalog.product-change', 9007199254740993, 'D', $2, $3, '2026-03-01 12:34:56.123456+05:30'),
          ($4, 't', 'a', 'e', 1, 'S', '{}', '{}', '0001-01-01 00:00:00+00')`,
        [eid(1), payload, '{"flow_id":"ü\\u0022"}', eid(2)],
      );
      await reader.untilIds(2);
      const [event, second] = reader.events;
      expect(event).toMatchObject({
        eid: eid(1),
        aggregateType: 'catalog.product',
        aggregateId: "ä/1 'x'",
        version: '9007199254740993',
        dataOp: 'D',
        headers: { flow_id: 'ü"' },
        createdAt: '2026-03-01T07:04:56.123456Z',
        position: { index: 0 },
      });
      expect(event?.payload.toString()).toBe(payload);
      expect(Math.abs((event?.commitTimeMs ?? 0) - startedMs)).toBeLessThan(10_000);
      expect(second).toMatchObject({ createdAt: '0001-01-01T00:00:00Z', position: { index: 1 } });
      await stream.close();
    },
  );

  it('that is no event ends the stream with the id of the row, and is there again', async () => {
    await using db = await createOutboxDatabase(server);
    const source = db.source();
    for (let round = 0; round < 2; round += 1) {
      const reader = new EventReader();
      const stream = await source.open(reader);
      if (round === 0)
        await db.admin.query(
          `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload) values ($1, 't', '', 'e', 1, 'C', '{}')`,
          [eid(7)],
        );
      await reader.until(() => reader.closings.length > 0);
      expect(reader.closings).toMatchObject([{ code: 'EVENT_MALFORMED', eid: eid(7) }]);
      await stream.close();
      await db.admin.query(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where active_pid is not null',
      );
    }
  });
});
