import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresMajor } from '@outbound/local-stack';
import { productChange } from '@outbound/schemas';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { migrateDatabase } from '../services/catalog-api/src/migrations/migrate-database.ts';
import { toRecords } from '../services/relay/src/kafka/to-records.ts';
import { OutboxDecoder } from '../services/relay/src/outbox/decode-outbox-event.ts';
import { PostgresSource } from '../services/relay/src/wal/postgres-source.ts';
import { RecordingReader } from '../services/relay/src/wal/test-support/recording-reader.ts';
import { TransactionAssembler } from '../services/relay/src/wal/transaction-assembler.ts';
import { runSeed, seededRandom } from './support/random.ts';

/** Publishes what it reads, as far as the relay's own code goes, and keeps what that refuses. */
class PublishingReader extends RecordingReader {
  readonly published: string[] = [];
  readonly refused: string[] = [];
  readonly #decoder = new OutboxDecoder();
  readonly #events = new TransactionAssembler({
    begin: () => undefined,
    relation: (relation) => this.#decoder.useRelation(relation),
    insert: (tuple, position, commitTimeMs) => {
      try {
        const event = this.#decoder.decode(tuple, position, commitTimeMs);
        toRecords(event, productChange, 'fingerprint');
        this.published.push(event.eid);
      } catch (thrown) {
        this.refused.push(String(thrown));
      }
    },
    commit: () => undefined,
  });
  override message(bytes: Buffer): void {
    this.#events.read(bytes);
    super.message(bytes);
  }
}

const long = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length));
const odd = [
  '',
  ' ',
  '\t\n\r',
  '\u0001\u001f\u007f',
  "ä/1 'x' \"",
  '\u{1f45f}',
  '%',
  '\ufeff',
  'ünï',
];
const values = {
  aggregatetype: ['catalog.product', ...odd, long('t', 255), long('t', 256), long('t', 1_200_000)],
  aggregateid: ['p-1', ...odd, long('k', 255), long('k', 256), long('ä', 254)],
  version: [
    '1',
    '0',
    '-1',
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '1.5',
  ],
  data_op: ['C', 'U', 'D', 'S', 'X', 'c', '', ' ', 'CC'],
  payload: [
    ...['{}', '{"a":1,"a":2}', '[]', 'null', '1', '"x"', '', '{', ' {"n": 1e400} '],
    ...[
      '{"t":"\\u0000"}',
      '{"t":"\\ud800"}',
      '{"__proto__":{"x":1}}',
      `{"x":"${long('x', 921_580)}"}`,
    ],
    ...[`{"x":"${long('x', 921_600)}"}`, `{"d":${'['.repeat(3000)}${']'.repeat(3000)}}`],
  ],
  headers: [
    ...['{}', '{"flow_id":"x"}', '{"traceparent":null}', '{"traceparent":7}', '{"flow_id":true}'],
    ...[
      '{"flow_id":["x"]}',
      '{"flow_id":[["x"]]}',
      '{"flow_id":{"a":"b"}}',
      '{"a":[]}',
      '[]',
      'null',
    ],
    ...[
      '"x"',
      '',
      '{"":""}',
      '{"a":"\\u0000"}',
      '{"a":"\\ud800"}',
      '{"a":null,"a":"x"}',
      '{"a":"x","a":null}',
    ],
    ...[
      '{"__proto__":"x"}',
      '{"__proto__":null}',
      '{"toString":1}',
      ` { "flow_id" : "${long('f', 8150)}" } `,
    ],
    `{"flow_id":"${long('f', 8192)}"}`,
  ],
  created_at: [
    ...[
      'now',
      '2026-03-01 12:34:56.123456+05:30',
      'infinity',
      '-infinity',
      '0001-01-01 00:00:00+00',
    ],
    ...[
      '0001-12-31 00:00:00 BC',
      '9999-12-31 23:59:59.999999+00',
      '10000-01-01 00:00:00+00',
      'epoch',
    ],
  ],
} satisfies Record<string, string[]>;
type Column = keyof typeof values;
const columns = Object.keys(values) as Column[];

describe.each<PostgresMajor>([18, 15])('the outbox on Postgres %i', (major) => {
  it('takes nothing that the relay cannot publish, whatever is written into it', async () => {
    const random = seededRandom(runSeed('rows of the outbox'));
    const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
    await using server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('fuzz');
    await migrateDatabase({ databaseUrl, directory: 'migrations' });
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    const source = new PostgresSource({ databaseUrl, slot: 'fuzz', publication: 'outbound' });
    const reader = new PublishingReader();
    const stream = await source.open(reader);
    let taken = 0;
    let refused = 0;
    const insert = async (row: Record<Column, string>) => {
      const parameters = columns.map((column) => row[column]);
      const placed = columns.map((_, index) => `$${index + 2}`).join(', ');
      const sql = `insert into outbox (id, type, ${columns.join(', ')}) values ($1, 'catalog.product-change', ${placed})`;
      await client.query(sql, [randomUUID(), ...parameters]).then(
        () => (taken += 1),
        () => (refused += 1),
      );
    };
    const sound = {
      ...Object.fromEntries(columns.map((column) => [column, values[column][0]])),
    } as Record<Column, string>;
    // Each value once in a row that is sound but for it, then all kinds of rows.
    for (const column of columns)
      for (const value of values[column]) await insert({ ...sound, [column]: value });
    for (let n = 0; n < 300; n += 1) {
      const row = { ...sound };
      for (const column of columns) if (random() < 0.4) row[column] = pick(values[column]);
      await insert(row);
    }
    await reader.until(() => reader.rowCount >= taken, 60_000);
    expect(reader.refused).toEqual([]);
    expect(reader.published).toHaveLength(taken);
    console.log(`${taken} rows taken and publishable, ${refused} refused at the insert`);
    expect(taken).toBeGreaterThan(60);
    expect(refused).toBeGreaterThan(60);
    await stream.close();
    await client.end();
  });

  it('whose old rows break a new check keeps them, and holds the check for what is written from now on', async () => {
    await using server = await startPostgres({ major });
    const databaseUrl = await server.createDatabase('old_rows');
    const before = mkdtempSync(join(tmpdir(), 'migrations-'));
    for (const name of readdirSync('migrations').filter((each) => each < '0010'))
      cpSync(join('migrations', name), join(before, name));
    await migrateDatabase({ databaseUrl, directory: before });
    rmSync(before, { recursive: true });
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    const insert = (headers: string) =>
      client.query(
        `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers) values (gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', $1)`,
        [headers],
      );
    await insert('{"traceparent":null}');
    await insert('{"a":"\\u0000"}');
    await migrateDatabase({ databaseUrl, directory: 'migrations' });
    await expect(insert('{"traceparent":null}')).rejects.toThrow('outbox_headers_text_check');
    await insert('{"flow_id":"x"}');
    const { rows } = await client.query<{ name: string; valid: boolean }>(
      `select conname as name, convalidated as valid from pg_constraint
       where conrelid = 'outbox'::regclass and contype = 'c'`,
    );
    expect(rows).toEqual([{ name: 'outbox_sound_check', valid: false }]);
    // Partitions can be made, as housekeeping makes them.
    await client.query(`
      create table outbox_later (like outbox including defaults including constraints);
      alter table outbox attach partition outbox_later for values from ('2100-01-01') to ('2100-01-02')`);
    await expect(insert('{"traceparent":7}')).rejects.toThrow('outbox_headers_text_check');
    await client.end();
  });
});
