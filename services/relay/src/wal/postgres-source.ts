import type { SlotHealth } from '@outbound/service-kit';
import { RelayError } from '../errors.ts';
import type { ChangeListener, ChangeSource, ChangeStream } from './change-source.ts';
import { assertSlotName, quoteIdentifier, type ConnectionSettings } from './connection-config.ts';
import { defaultOutboxTable, type OutboxTable } from './outbox-table.ts';
import { PostgresStream } from './postgres-stream.ts';
import { connect, destroy, Sentinel } from './sentinel.ts';
import { createSlot, recordSlot, type CreationBlocker } from './slot-creation.ts';
import { readSlotHealth } from './slot-health.ts';
import { judgeSource } from './source-checks.ts';
import { codeOf, sqlState, toSourceError } from './source-errors.ts';
import { readSourceFacts, type SourceFacts, type SourceNames } from './source-facts.ts';
import { noLsn, type Lsn } from './lsn.ts';

/** What happened that is no error, for the log. */
export type SourceNotice =
  | { readonly kind: 'slot-created'; readonly slot: string }
  | { readonly kind: 'slot-adopted'; readonly slot: string }
  | {
      readonly kind: 'slot-creation-waits';
      readonly slot: string;
      readonly blocker: CreationBlocker;
    }
  | { readonly kind: 'server-warning'; readonly message: string }
  /** The server works and has sent nothing for so long; undefined: it sends again. */
  | { readonly kind: 'server-silent'; readonly silentMs: number | undefined };

export interface PostgresSourceOptions extends ConnectionSettings {
  /** Name of the replication slot, `[a-z0-9_]{1,63}`; created if it never was. */
  readonly slot: string;
  /** Name of the publication, in its exact case; created by migration. */
  readonly publication: string;
  /** Defaults to `public.outbox`. */
  readonly outbox?: OutboxTable;
  /** Creates the slot with `failover = true`, which needs 17. Defaults to false. */
  readonly failover?: boolean;
  /** Longest time without a status update. Defaults to 5,000 ms, and to a third of `wal_sender_timeout` if that is less. */
  readonly statusIntervalMs?: number;
  /**
   * After so long without a word of ours the server gives the slot up, so that another relay can take it: our session's `wal_sender_timeout`,
   * where the server's is longer or none. Defaults to 15,000 ms.
   */
  readonly walSenderTimeoutMs?: number;
  /** How often the publication is looked at while streaming. Defaults to 10,000 ms. */
  readonly checkIntervalMs?: number;
  /** Called with what the log should tell. Must not throw. */
  readonly onNotice?: (notice: SourceNotice) => void;
}

const defaultWalSenderTimeoutMs = 15_000;

/**
 * Committed transactions from Postgres' write-ahead log: the real `ChangeSource`. It checks the source before it opens a stream, makes
 * the slot on a first start only, and holds one ordinary connection beside the stream. Nothing is acknowledged but what the reader
 * reports, exactly (I6).
 */
export class PostgresSource implements ChangeSource {
  readonly #options: PostgresSourceOptions;
  readonly #names: SourceNames;
  #sentinel: Sentinel | undefined;

  /** @throws RelayError CONFIG_INVALID for a slot or publication name that can't be one. */
  constructor(options: PostgresSourceOptions) {
    const { slot, publication, outbox = defaultOutboxTable } = options;
    assertSlotName(slot);
    quoteIdentifier(publication);
    this.#options = options;
    this.#names = { slot, publication, outbox };
  }

  async open(listener: ChangeListener, signal?: AbortSignal): Promise<ChangeStream> {
    let stream: PostgresStream | undefined;
    let stopping: RelayError | undefined;
    const sentinel = await Sentinel.open(this.#options, (reason) => {
      stopping = reason;
      stream?.release(reason);
    });
    try {
      stream = await this.#openStream(listener, sentinel, await this.#prepare(sentinel, signal));
      this.#sentinel = sentinel;
      // The server said goodbye while the stream was being opened.
      if (stopping) stream.release(stopping);
      return stream;
    } catch (thrown) {
      sentinel.close();
      throw thrown;
    }
  }

  /**
   * The slot's health, also while another relay holds it; undefined if there is no such slot.
   * @throws RelayError SOURCE_* if the server can't be asked: then nothing is known.
   */
  async slotHealth(): Promise<SlotHealth | undefined> {
    const { slot } = this.#names;
    if (this.#sentinel && !this.#sentinel.isClosed)
      return this.#sentinel.ask("asking for the slot's health", (client) =>
        readSlotHealth(client, slot),
      );
    const client = await connect(this.#options, { query_timeout: 5000 });
    try {
      return await readSlotHealth(client, slot);
    } catch (thrown) {
      throw toSourceError(thrown, 'check', "asking for the slot's health");
    } finally {
      destroy(client);
    }
  }

  async #openStream(
    listener: ChangeListener,
    sentinel: Sentinel,
    { facts, startLsn }: { facts: SourceFacts; startLsn: Lsn },
  ): Promise<PostgresStream> {
    const { statusIntervalMs, checkIntervalMs, walSenderTimeoutMs } = this.#options;
    try {
      return await PostgresStream.open({
        settings: this.#options,
        names: this.#names,
        listener,
        sentinel,
        isPartitioned: facts.outbox?.kind === 'p',
        startLsn,
        walSenderTimeoutMs: walSenderTimeoutMs ?? defaultWalSenderTimeoutMs,
        ...(statusIntervalMs === undefined ? {} : { statusIntervalMs }),
        ...(checkIntervalMs === undefined ? {} : { checkIntervalMs }),
        onSilence: (silentMs) => this.#options.onNotice?.({ kind: 'server-silent', silentMs }),
        onWarning: (message) => this.#options.onNotice?.({ kind: 'server-warning', message }),
      });
    } catch (thrown) {
      // These mean many things, a server that was demoted just now among them; the checks know which.
      const code = thrown instanceof Error ? codeOf(thrown.cause) : undefined;
      if (code === sqlState.notInPrerequisiteState || code === sqlState.featureNotSupported)
        await this.#readAndJudge(sentinel);
      throw thrown;
    }
  }

  /** Everything that must hold before a stream: checks, then on a first start the slot and its record. Gives where the slot is, too. */
  async #prepare(
    sentinel: Sentinel,
    signal: AbortSignal | undefined,
  ): Promise<{ facts: SourceFacts; startLsn: Lsn }> {
    const { facts, action } = await this.#readAndJudge(sentinel);
    const { slot } = this.#names;
    const { systemIdentifier } = facts.server;
    let lsn = facts.slot?.confirmedFlushLsn ?? noLsn;
    if (action === 'use') return { facts, startLsn: lsn };
    if (action === 'create' && this.#options.failover && facts.server.versionNumber < 170_000)
      throw new RelayError(
        'SOURCE_UNSUPPORTED',
        `a slot with failover needs Postgres 17; the server is version ${Math.floor(facts.server.versionNumber / 10_000)}`,
      );
    if (action === 'create')
      lsn = await createSlot({
        settings: this.#options,
        sentinel,
        names: this.#names,
        failover: this.#options.failover ?? false,
        signal,
        onBlocked: (blocker) =>
          this.#options.onNotice?.({ kind: 'slot-creation-waits', slot, blocker }),
      });
    await sentinel.ask('recording the slot', (client) =>
      recordSlot(client, this.#names, { systemIdentifier, lsn }),
    );
    this.#options.onNotice?.({
      kind: action === 'create' ? 'slot-created' : 'slot-adopted',
      slot,
    });
    return { facts, startLsn: lsn };
  }

  async #readAndJudge(sentinel: Sentinel) {
    const facts = await sentinel.ask('checking the source', (client) =>
      readSourceFacts(client, this.#names),
    );
    return { facts, action: judgeSource(facts, this.#names) };
  }
}
