import { RelayError } from '../errors.ts';
import { lsnToText } from './lsn.ts';
import { outboxColumnFault, outboxColumns } from './outbox-table.ts';
import type {
  OutboxFacts,
  PublicationFacts,
  ServerFacts,
  SlotFacts,
  SourceFacts,
  SourceNames,
} from './source-facts.ts';

/** `use`: the slot is there. `record`: it is there and was never recorded. `create`: it never was: make it, then record it. */
export type SlotAction = 'use' | 'record' | 'create';

/**
 * Judges whether this source can be read without a gap, in the order in which a person would repair it. Pure.
 * The publication comes before the slot: a slot that is older than its publication can't decode what lies between (42704 for ever
 * on 15 to 17, silently skipped on 18).
 * @throws RelayError SOURCE_* with what is wrong and which value it has.
 */
export function judgeSource(facts: SourceFacts, names: SourceNames): SlotAction {
  judgeServer(facts.server);
  judgeOutbox(facts.outbox, names);
  judgePublication(facts.publication, names, facts.outbox?.kind === 'p');
  return judgeSlot(facts, names);
}

function judgeServer(server: ServerFacts): void {
  if (server.versionNumber < 150_000)
    throw new RelayError(
      'SOURCE_UNSUPPORTED',
      `the server is version ${Math.floor(server.versionNumber / 10_000)}; the relay needs 15 or later`,
    );
  if (server.isStandby)
    // No verdict: a switchover leaves the address of the primary with a server that is promoted some seconds later.
    throw new RelayError(
      'SOURCE_IN_RECOVERY',
      'the server is in recovery, a standby; a slot there is not the one that is acknowledged',
    );
  if (server.walLevel !== 'logical')
    throw new RelayError('SOURCE_WAL_LEVEL', `wal_level is ${server.walLevel}; it must be logical`);
  if (server.maxWalSenders === 0)
    throw new RelayError(
      'SOURCE_WAL_LEVEL',
      'max_wal_senders is 0, so the server streams to nobody; set it to 10',
    );
  if (!server.mayReplicate)
    throw new RelayError(
      'SOURCE_AUTH_FAILED',
      `role "${server.role}" has no REPLICATION attribute: alter role "${server.role}" replication (on RDS and Aurora: grant rds_replication to "${server.role}")`,
    );
}

function judgeOutbox(outbox: OutboxFacts | undefined, { outbox: table }: SourceNames): void {
  const name = `"${table.schema}"."${table.name}"`;
  const refuse = (why: string): never => {
    throw new RelayError('SOURCE_OUTBOX_MISSING', `the outbox ${name} ${why}`);
  };
  if (!outbox) return refuse('does not exist');
  if (outbox.kind !== 'r' && outbox.kind !== 'p')
    refuse(`is no table (relkind ${outbox.kind}), so nothing of it is in the log`);
  if (outbox.isUnlogged)
    refuse('or a partition of it is unlogged or temporary, so its rows are never in the log');
  const fault = outboxColumnFault(outbox.columns);
  if (fault !== undefined) refuse(`cannot be read: ${fault}`);
}

/**
 * Judges the publication alone; asked again while the stream runs, since it can be altered under it.
 * @throws RelayError SOURCE_PUBLICATION_MISSING, SOURCE_PUBLICATION_WRONG.
 */
export function judgePublication(
  publication: PublicationFacts | undefined,
  { publication: name, outbox: table }: Pick<SourceNames, 'publication' | 'outbox'>,
  isPartitioned: boolean,
): void {
  if (!publication)
    throw new RelayError('SOURCE_PUBLICATION_MISSING', `publication "${name}" does not exist`);
  const refuse = (why: string): never => {
    throw new RelayError('SOURCE_PUBLICATION_WRONG', `publication "${name}" ${why}`);
  };
  if (!publication.publishesInsert) refuse('does not publish inserts');
  if (isPartitioned && !publication.viaRoot)
    refuse(
      'publishes partitions under their own names, and the outbox is partitioned; set publish_via_partition_root = true',
    );
  const { outbox } = publication;
  if (!outbox) return refuse(`does not publish "${table.schema}"."${table.name}"`);
  if (outbox.hasRowFilter) refuse('has a row filter on the outbox, so events would be left out');
  const missing = outboxColumns.filter((column) => !outbox.columns.includes(column));
  if (missing.length > 0)
    refuse(`has a column list that leaves out ${missing.join(', ')} of the outbox`);
}

function judgeSlot({ slot, server, recordedOn }: SourceFacts, names: SourceNames): SlotAction {
  if (recordedOn === undefined)
    throw new RelayError(
      'SOURCE_OUTBOX_MISSING',
      `the table "${names.outbox.schema}".relay_slot does not exist; without it, a dropped slot could not be told from a first start`,
    );
  if (slot) {
    judgeExistingSlot(slot, server, names.slot);
    return recordedOn === null ? 'record' : 'use';
  }
  if (recordedOn === null) return 'create';
  throw new RelayError('SOURCE_SLOT_MISSING', whyMissing(names.slot, recordedOn, server));
}

/**
 * Both causes that the server cannot tell apart, and what follows from each. A record of another server is no first start: an upgrade
 * before 17 loses the slots and changes the identifier, and what the old server had not published yet would be lost without a word.
 */
function whyMissing(slot: string, recordedOn: string, { systemIdentifier }: ServerFacts): string {
  const cause =
    recordedOn === systemIdentifier
      ? 'and is gone: it was dropped, or this server is a copy or a standby that was promoted, which have no slots'
      : `on another server (system identifier ${recordedOn}, this one is ${systemIdentifier}): this database was restored from a dump, or upgraded`;
  return (
    `slot "${slot}" was made by a relay ${cause}. If this database takes the place of the one that the slot was made for, changes may be missing; ` +
    `if it is a copy with topics of its own, delete from relay_slot where slot_name = '${slot}', and start again`
  );
}

function judgeExistingSlot(slot: SlotFacts, server: ServerFacts, name: string): void {
  const refuse = (why: string): never => {
    throw new RelayError('SOURCE_SLOT_MISMATCH', `slot "${name}" ${why}`);
  };
  if (slot.kind !== 'logical') refuse(`is ${slot.kind}, not logical`);
  if (slot.plugin !== 'pgoutput') refuse(`uses plugin "${slot.plugin}", not pgoutput`);
  if (slot.database !== server.database)
    refuse(`belongs to database "${slot.database}", not "${server.database}"`);
  if (slot.isTemporary) refuse('is temporary, so it would be gone with its connection');
  if (slot.isTwoPhase)
    refuse('is two_phase, so prepared transactions would come before they commit');
  if (slot.walStatus === 'lost' || slot.invalidationReason !== null)
    throw new RelayError(
      'SOURCE_SLOT_INVALIDATED',
      `slot "${name}" was given up by Postgres (wal_status ${slot.walStatus}${slot.invalidationReason ? `, ${slot.invalidationReason}` : ''}): see ${invalidatedBy(slot.invalidationReason)}`,
    );
  const { confirmedFlushLsn, flushedLsn } = slot;
  // The server would skip what commits before that position, without a word.
  if (confirmedFlushLsn !== undefined && flushedLsn !== undefined && confirmedFlushLsn > flushedLsn)
    throw new RelayError(
      'SOURCE_SLOT_INVALIDATED',
      `slot "${name}" has confirmed ${lsnToText(confirmedFlushLsn)}, and the log ends at ${lsnToText(flushedLsn)}: they are of different moments, as when log and slots were restored apart`,
    );
  if (slot.activePid !== null)
    throw new RelayError(
      'SOURCE_SLOT_BUSY',
      `slot "${name}" is held by the server process ${slot.activePid}${slot.activeAddress === null ? '' : ` for ${slot.activeAddress}`}`,
    );
}

/** The setting by which a server gives slots up for this reason (`invalidation_reason`, 17 and later). Source: Postgres, pg_replication_slots. */
function invalidatedBy(reason: string | null): string {
  switch (reason) {
    case 'idle_timeout':
      return 'idle_replication_slot_timeout, which gives up a slot that no relay reads for so long';
    case 'wal_level_insufficient':
      return 'wal_level, which was below logical for a while';
    case 'rows_removed':
      return 'hot_standby_feedback, without which the primary removes rows that a slot of a standby needs';
    default:
      return 'max_slot_wal_keep_size, the most log that is kept for a slot';
  }
}
