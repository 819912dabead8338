import type { PostgresServer } from '@outbound/local-stack';
import pg from 'pg';

/** A migrated database, the connections that a test of its housekeeping needs, and what happens to its outbox. */
export class HouseDatabase implements AsyncDisposable {
  readonly client: pg.Client;
  readonly other: pg.Client;
  readonly third: pg.Client;
  readonly operator: pg.Client;

  private constructor(clients: Pick<HouseDatabase, 'client' | 'other' | 'third' | 'operator'>) {
    this.client = clients.client;
    this.other = clients.other;
    this.third = clients.third;
    this.operator = clients.operator;
  }

  /** As a copy of the database `migrated` on that server, where `outbound_operator` has the password `operator`. */
  static async create(server: PostgresServer, name: string): Promise<HouseDatabase> {
    const url = await server.createDatabase(name, 'migrated');
    const connect = async (login = {}) => {
      const connected = new pg.Client(Object.assign(new URL(url), login).href);
      await connected.connect();
      return connected;
    };
    return new HouseDatabase({
      client: await connect(),
      other: await connect(),
      third: await connect(),
      operator: await connect({ username: 'outbound_operator', password: 'operator' }),
    });
  }

  /** As after days without a run: no partition covers today or a later day. */
  async loseTheDays(): Promise<void> {
    await this.client.query(`
      do $$ declare part record; begin
        for part in select partition_name from outbox_partition loop execute format('drop table %I', part.partition_name); end loop;
      end $$`);
  }

  /** Gives the ids. */
  async insert(rowCount = 1, by = this.client, createdAt = 'now()'): Promise<string[]> {
    const { rows } = await by.query<{ id: string }>(`
      insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, created_at)
      select gen_random_uuid(), 't', 'a', 'e', 1, 'C', '{}', ${createdAt} from generate_series(1, ${rowCount}) returning id`);
    return rows.map(({ id }) => id);
  }

  /** A partition of one day; from now, in days. */
  async addPartition(name: string, day: number): Promise<void> {
    await this.client.query(`
      do $$ declare day timestamptz := date_trunc('day', now(), 'UTC') + interval '${day} days'; begin
        execute format('create table %I partition of outbox for values from (%L) to (%L)', '${name}', day, day + interval '1 day');
      end $$`);
  }

  /** Housekeeping that waits for a lock shows it: it would do so for ten minutes. */
  async waitLong(): Promise<void> {
    await this.client.query("alter function outbox_housekeeping set lock_timeout = '10 min'");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.other, this.third, this.operator]) await each.end();
    await this.client.query(
      'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
    );
    await this.client.end();
  }
}
