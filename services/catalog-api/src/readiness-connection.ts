import type { CheckResult, PostgresConnection } from '@outbound/service-kit';
import pg from 'pg';
import {
  believed,
  judgeDatabase,
  neededPrivileges,
  type DatabaseFacts,
  type Verdict,
} from './readiness.ts';

/** Longer than the admin server waits for a check, which then says "unknown": what comes late is for the next question. */
const timeoutMs = 5_000;
/** After this time an answer is late. Who asks for readiness waits a second at the most by default (Kubernetes' `timeoutSeconds`), and so does the admin server. */
const lateMs = 300;

const values = neededPrivileges
  .map(([table, privilege]) => `(${pg.escapeLiteral(table)}, ${pg.escapeLiteral(privilege)})`)
  .join(', ');

const factsSql = `
  select current_user as role, pg_is_in_recovery() as is_standby,
    current_setting('transaction_read_only')::boolean as is_read_only,
    to_regclass('schema_migration') is not null as is_migrated,
    coalesce(has_table_privilege(to_regclass('schema_migration'), 'SELECT'), false) as may_look,
    array(
      select privilege || ' on ' || name from (values ${values}) needed (name, privilege)
      where not coalesce(case name
        -- Granted by column: the api may not set created_at.
        when 'outbox' then has_any_column_privilege(to_regclass(name), privilege)
        else has_table_privilege(to_regclass(name), privilege)
      end, false)
    ) as lacking`;

interface FactsRow {
  readonly role: string;
  readonly is_standby: boolean;
  readonly is_read_only: boolean;
  readonly is_migrated: boolean;
  readonly may_look: boolean;
  readonly lacking: readonly string[];
}

/**
 * Asks the database whether the service can work on it, by a connection of its own: so a pool whose connections all wait for one row says nothing about it, and
 * neither does a server that is full. It is opened at the first question and kept; one that failed is replaced at the next.
 */
export class ReadinessConnection {
  readonly #connection: PostgresConnection;
  #client: pg.Client | undefined;
  #underWay: Promise<CheckResult> | undefined;
  #last: Verdict | undefined;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  /**
   * Questions that come while one is under way get its answer, or what was found last where that is late (`believed`). A connection that broke is no lateness: then nothing is believed.
   * @throws what the driver says
   */
  async check(): Promise<CheckResult> {
    this.#underWay ??= this.#ask().finally(() => (this.#underWay = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      // As in the admin server: what lies in the socket is read first.
      timer = setTimeout(() => setImmediate(() => resolve(undefined)), lateMs);
    });
    try {
      const found = await Promise.race([this.#underWay, late]);
      return found ?? believed(this.#last, performance.now()) ?? (await this.#underWay);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #ask(): Promise<CheckResult> {
    const askedAtMs = performance.now();
    const client = this.#client ?? (await this.#connect());
    // A server that stands still answers nothing, not even that it was cancelled.
    const silence = setTimeout(() => client.connection.stream.destroy(), timeoutMs + 1_000);
    try {
      const verdict = judgeDatabase(await readFacts(client));
      this.#last = { verdict, askedAtMs };
      return verdict;
    } catch (error) {
      this.#drop(client);
      throw error;
    } finally {
      clearTimeout(silence);
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      ...this.#connection,
      application_name: 'catalog-api-readiness',
      connectionTimeoutMillis: timeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    client.on('error', () => this.#drop(client));
    await client.connect();
    this.#client = client;
    return client;
  }

  #drop(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
    this.#last = undefined;
    void client.end().catch(() => undefined);
  }
}

async function readFacts(client: pg.Client): Promise<DatabaseFacts> {
  const row = await askOne<FactsRow>(client, factsSql);
  if (row === undefined) throw new Error('the database answered nothing to a question');
  const newest = 'select name from schema_migration order by name desc limit 1';
  const newestMigration = !row.is_migrated
    ? null
    : row.may_look
      ? ((await askOne<{ name: string }>(client, newest))?.name ?? null)
      : undefined;
  return {
    role: row.role,
    isStandby: row.is_standby,
    isReadOnly: row.is_read_only,
    lacking: row.lacking,
    newestMigration,
  };
}

/**
 * One round trip with a limit that the server keeps too: a question that waits because somebody has a lock would else leave a backend behind each time. In a
 * transaction, so that it holds behind a pooler and nothing of it stays there.
 */
async function askOne<Found extends object>(
  client: pg.Client,
  sql: string,
): Promise<Found | undefined> {
  const text = `begin; set local statement_timeout = ${timeoutMs}; ${sql}; commit`;
  // Of several statements the driver gives several results, of which one has rows.
  const results = (await client.query<Found>(text)) as unknown as pg.QueryResult<Found>[];
  return results.flatMap(({ rows }) => rows)[0];
}
