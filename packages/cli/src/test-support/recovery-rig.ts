import { startPostgres, type PostgresMajor, type PostgresServer } from '@outbound/local-stack';
import { eventTypes } from '@outbound/schemas';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { migrateDatabase } from '../../../../services/catalog-api/src/migrations/migrate-database.ts';
import {
  countBacklog,
  emitMissingAgain,
  noteSeen,
  prepareBacklog,
  type Backlog,
} from '../recover/backlog.ts';
import { bridge, createInterimSlot, installSlot } from '../recover/new-slot.ts';
import { giveUpOvertaken } from '../recover/waiting-events.ts';
import type { WaitingKey } from '../dead-letters/waiting-keys.ts';

/** The slot that is recovered. */
export const slot = 'outbound';
/** The event type whose events are committed, which is its topic, and the topic of its entities. */
export const changes = 'catalog.category-change';
export const state = 'catalog.category';

/**
 * A server of that version for the tests of a `describe`, and a migrated database of its own for each of them, in which a recovery can be carried out without
 * Kafka: what a topic has is said by `published`.
 */
export class RecoveryRig {
  readonly #major: PostgresMajor;
  #server: PostgresServer | undefined;
  #open: Connections | undefined;
  #count = 0;
  /** What waits in dead letters; none at the beginning of a test. */
  waiting: WaitingKey[] = [];

  constructor(major: PostgresMajor) {
    this.#major = major;
    beforeAll(() => this.#start());
    afterAll(() => this.#server?.close());
    beforeEach(() => this.#connect());
  }

  /** A superuser's. */
  get admin(): pg.Client {
    return this.#connections.admin;
  }

  /** The operator's, with the tables that a recovery counts in. */
  get session(): pg.Client {
    return this.#connections.session;
  }

  /** The operator's, beside `session`. */
  get pool(): pg.Pool {
    return this.#connections.pool;
  }

  get operatorUrl(): string {
    return this.#connections.operatorUrl;
  }

  get #connections(): Connections {
    if (this.#open === undefined) throw new Error('no test is under way');
    return this.#open;
  }

  /** Commits an event; its id says key, version and number. */
  async commit(key: number, version: number, op = 'U', minutesAgo = 0): Promise<string> {
    const id = eidOf(key, version, op);
    await this.admin.query(
      `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
       values ($1, $2, $3, $4, $5, $6, '{"é": 1.50}', now() - make_interval(mins => $7))`,
      [id, state, `key-${key}`, changes, version, op, minutesAgo],
    );
    return id;
  }

  /** Both topics have these events. */
  async published(...eids: readonly string[]): Promise<void> {
    await noteSeen(this.session, changes, eids);
    await noteSeen(this.session, state, eids);
  }

  /** The whole way; `meanwhile` happens between the new slot's creation and the cut. */
  async recover(meanwhile: () => Promise<unknown> = () => Promise.resolve(), counted?: Backlog) {
    const { session, pool, waiting } = this;
    const backlog = counted ?? (await countBacklog(session));
    await createInterimSlot(session, slot, {
      pool,
      signal: new AbortController().signal,
      onBlocked: () => undefined,
    });
    await meanwhile();
    const { emitted, slotLsn } = await bridge(session, slot, {
      flush: async () => {
        await pool.query(
          "insert into operation (id, verb, actor) values (gen_random_uuid(), 'recover', 'test')",
        );
      },
      emit: async () => {
        await giveUpOvertaken(session, backlog, waiting);
        return emitMissingAgain(session, backlog);
      },
    });
    await installSlot(session, slot, { slotLsn, mustDrop: false });
    return { backlog, ...emitted };
  }

  /** Ids in the order in which a relay would get them from the new slot. */
  async streamed(): Promise<string[]> {
    const { rows } = await this.admin.query<{ data: Buffer }>(
      "select data from pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', 'outbound')",
      [slot],
    );
    // I: Int32 relation, 'N', Int16 columns, then for the id: 't', Int32 length, text.
    return rows.flatMap(({ data }) =>
      data[0] === 0x49 ? [data.subarray(13, 13 + 36).toString('latin1')] : [],
    );
  }

  async #start(): Promise<void> {
    this.#server = await startPostgres({ major: this.#major });
    const databaseUrl = await this.#server.createDatabase('migrated');
    const passwords = { outbound_operator: 'operator' };
    await migrateDatabase({ databaseUrl, directory: 'migrations', passwords });
  }

  async #connect(): Promise<() => Promise<void>> {
    if (this.#server === undefined) throw new Error('the server has not been started');
    const url = await this.#server.createDatabase(`recover_${(this.#count += 1)}`, 'migrated');
    const login = { username: 'outbound_operator', password: 'operator' };
    const operatorUrl = Object.assign(new URL(url), login).href;
    const admin = new pg.Client(url);
    const session = new pg.Client(operatorUrl);
    const pool = new pg.Pool({ connectionString: operatorUrl });
    await admin.connect();
    await session.connect();
    await prepareBacklog(session, eventTypes);
    this.#open = { admin, session, pool, operatorUrl };
    this.waiting = [];
    return async () => {
      await session.end();
      await pool.end();
      await admin.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where not temporary',
      );
      await admin.end();
    };
  }
}

interface Connections {
  readonly admin: pg.Client;
  readonly session: pg.Client;
  readonly pool: pg.Pool;
  readonly operatorUrl: string;
}

/** The id of the event with which a key comes to a version. */
export const eidOf = (key: number, version: number, op = 'U'): string =>
  `00000000-000${op === 'S' ? 1 : 0}-7000-8000-${String(key * 1000 + version).padStart(12, '0')}`;
