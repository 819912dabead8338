import { execFile } from 'node:child_process';
import { chown, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { eventually } from './eventually.ts';
import { startVirtualAddress, type VirtualAddress } from './virtual-address.ts';

const run = promisify(execFile);

/** `switchover`: the primary is stopped, so that the standby has all of its log, and follows it afterwards. `promotion`: it is killed, and made anew. */
export type Failover = 'switchover' | 'promotion';

/** Of a server that follows the other one, the slot there by which it does. */
const slotOf = { a: 'standby_a', b: 'standby_b' } as const;
type Name = keyof typeof slotOf;

const settings = {
  wal_level: 'logical',
  hot_standby_feedback: 'on',
  sync_replication_slots: 'off',
  // Signs of life between the two, not to us.
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '200ms',
};

/** What a copy does not take with it: who runs, and the slots, which are each server's own. */
const left = ['postmaster.pid', 'postmaster.opts'];

export interface FailoverPairOptions {
  /** Whether a failover slot waits for the standby (`synchronized_standby_slots`), so that nothing is published that it does not have. Defaults to true. */
  readonly waitsForStandby?: boolean;
}

/** A Postgres 18 primary with a standby that has a copy of its failover slots, behind one address that leads to the primary. */
export class FailoverPair implements AsyncDisposable {
  readonly #servers: Readonly<Record<Name, PostgresServer>>;
  readonly #address: VirtualAddress;
  readonly #waitsForStandby: boolean;
  #primary: Name = 'a';

  private constructor(
    servers: Readonly<Record<Name, PostgresServer>>,
    address: VirtualAddress,
    { waitsForStandby = true }: FailoverPairOptions,
  ) {
    this.#servers = servers;
    this.#address = address;
    this.#waitsForStandby = waitsForStandby;
  }

  /** Comes back when the standby streams. */
  static async start(options: FailoverPairOptions = {}): Promise<FailoverPair> {
    const a = await startPostgres({ major: 18, settings });
    const b = await startPostgres({ major: 18, settings });
    const pair = new FailoverPair({ a, b }, await startVirtualAddress(a.port), options);
    try {
      await pair.#isPrimary();
      await b.stop('immediate');
      await pair.#becomesStandby('b', 'copied');
      return pair;
    } catch (thrown) {
      await pair[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** The primary, by the address that stays. */
  get server(): PostgresServer {
    const { primary } = this;
    const url = this.#url(this.#address.port);
    return {
      ...primary,
      pid: primary.pid,
      url,
      port: this.#address.port,
      createDatabase: async (name, template) => {
        const made = new URL(await primary.createDatabase(name, template));
        made.port = String(this.#address.port);
        return made.href;
      },
    };
  }

  get primary(): PostgresServer {
    return this.#servers[this.#primary];
  }

  get standby(): PostgresServer {
    return this.#servers[this.#other];
  }

  get #other(): Name {
    return this.#primary === 'a' ? 'b' : 'a';
  }

  /**
   * Resolves when the standby has a copy of the slot that outlives a promotion: what an operator looks at before a switchover. Somebody has to read the
   * slot meanwhile: the copy counts only when the slot has passed where the standby was when it began to copy. The standby begins here, because its
   * tries come ever more seldom (up to half a minute); and what the slot is moved on by, the primary does on its own only every 15 s.
   */
  async slotIsSynchronized(slot: string): Promise<void> {
    await this.#with(this.primary, async (primary) =>
      this.#with(this.standby, async (standby) => {
        await standby.query('alter system set sync_replication_slots = on');
        await standby.query('select pg_reload_conf()');
        await eventually(
          async () => {
            await primary.query('select pg_log_standby_snapshot()');
            const { rows } = await standby.query<{ ready: boolean }>(
              'select synced and not temporary and invalidation_reason is null as ready from pg_replication_slots where slot_name = $1',
              [slot],
            );
            return rows[0]?.ready === true;
          },
          { timeoutMs: 60_000, intervalMs: 100 },
        );
      }),
    );
  }

  /**
   * Ends the primary, promotes the standby, lets the address lead there, and makes the old primary its standby. What is committed during `unseen` never
   * reaches the standby, which is down meanwhile: with a promotion it is lost.
   */
  async failOver(how: Failover, unseen?: () => Promise<void>): Promise<void> {
    const old = this.primary;
    if (unseen) {
      await this.standby.stop('fast');
      await unseen();
    }
    if (how === 'switchover') await old.stop('fast');
    else await old.kill();
    if (unseen) await this.standby.start();
    await this.#with(this.standby, (client) => client.query('select pg_promote(true, 60)'));
    this.#primary = this.#other;
    await this.#isPrimary();
    this.#address.moveTo(this.primary.port);
    await this.#becomesStandby(this.#other, how === 'switchover' ? 'as it is' : 'copied');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#address[Symbol.asyncDispose]();
    await Promise.all([this.#servers.a.close(), this.#servers.b.close()]);
  }

  /** A slot for its standby, before anything waits for that one. */
  async #isPrimary(): Promise<void> {
    await this.#with(this.primary, async (client) => {
      await client.query('select pg_create_physical_replication_slot($1, true)', [
        slotOf[this.#other],
      ]);
      if (this.#waitsForStandby)
        await client.query(
          `alter system set synchronized_standby_slots = '${slotOf[this.#other]}'`,
        );
      await client.query('select pg_reload_conf()');
    });
  }

  /** Starts the server, which does not run, as a standby of the primary: with its own data, or with a copy of the primary's. */
  async #becomesStandby(name: Name, data: 'as it is' | 'copied'): Promise<void> {
    const server = this.#servers[name];
    const { dataDir } = server;
    if (data === 'copied') await this.#copyPrimaryTo(dataDir);
    // Its slots are those of a primary; the one that is synchronized must not meet another of its name.
    for (const slot of await readdir(join(dataDir, 'pg_replslot')))
      await rm(join(dataDir, 'pg_replslot', slot), { recursive: true });
    const conninfo = `host=127.0.0.1 port=${this.primary.port} user=postgres password=postgres dbname=postgres application_name=${name}`;
    await this.#write(
      dataDir,
      'postgresql.auto.conf',
      `primary_conninfo = '${conninfo}'\nprimary_slot_name = '${slotOf[name]}'\n`,
    );
    await this.#write(dataDir, 'standby.signal', '');
    await server.start();
    await this.#with(this.primary, async (client) =>
      eventually(
        async () => {
          const { rowCount } = await client.query(
            "select from pg_stat_replication where application_name = $1 and state = 'streaming'",
            [name],
          );
          return rowCount === 1;
        },
        { timeoutMs: 60_000, intervalMs: 100 },
      ),
    );
  }

  /** The primary goes on meanwhile. Source: Postgres, "Making a Base Backup Using the Low Level API". */
  async #copyPrimaryTo(dataDir: string): Promise<void> {
    await this.#with(this.primary, async (client) => {
      await client.query("select pg_backup_start('standby', fast => true)");
      await run('find', [dataDir, '-mindepth', '1', '-delete']);
      // What vanishes while it is copied is in the log.
      await run('cp', ['-a', `${this.primary.dataDir}/.`, dataDir]).catch((thrown: unknown) => {
        if (!/No such file/.test(String(thrown))) throw thrown;
      });
      const { rows } = await client.query<{ labelfile: string }>(
        'select labelfile from pg_backup_stop(false)',
      );
      for (const file of left) await rm(join(dataDir, file), { force: true });
      await this.#write(dataDir, 'backup_label', rows[0]?.labelfile ?? '');
    });
  }

  /** As the server's own account. */
  async #write(dataDir: string, name: string, text: string): Promise<void> {
    const path = join(dataDir, name);
    await writeFile(path, text, { mode: 0o600 });
    const { uid, gid } = await stat(dataDir);
    await chown(path, uid, gid);
  }

  async #with<T>(server: PostgresServer, use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client(server.url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  #url(port: number): string {
    const url = new URL(this.primary.url);
    url.port = String(port);
    return url.href;
  }
}
