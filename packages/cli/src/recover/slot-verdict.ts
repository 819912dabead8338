import { CliError, exitCodes } from '../exit-codes.ts';

/** What the server says about the slot that is to be recovered, and about who asks. */
export interface SlotFacts {
  readonly slot: string;
  readonly walLevel: string;
  readonly role: string;
  readonly mayReplicate: boolean;
  /** True if a relay has recorded that it made this slot. */
  readonly isRecorded: boolean;
  readonly database: string;
  /** Such as 150_012. */
  readonly versionNumber: number;
  /** The most log that the server keeps for a slot, bytes; undefined without a limit. */
  readonly limitBytes: number | undefined;
  /** The slot as it is now; undefined if there is none of this name. */
  readonly existing:
    | {
        /** `logical` or `physical`. */
        readonly kind: string;
        readonly plugin: string | null;
        readonly database: string | null;
        readonly activePid: number | null;
        /** `lost` means that log it needs is gone. */
        readonly walStatus: string | null;
        /** From Postgres 17 on; else null. */
        readonly invalidationReason: string | null;
        /** The slot follows a failover to a standby; from 17 on. */
        readonly isFailover: boolean;
        /** It has confirmed more than the log has: they were restored apart. */
        readonly isAhead: boolean;
      }
    | undefined;
}

/** What is asked for. */
export interface RecoverWish {
  /** Recover although the slot looks sound, or was never recorded: somebody made it anew by hand, or events from before the first start are wanted. */
  readonly force?: boolean;
  /** A slot that follows a failover. */
  readonly failover?: boolean;
}

/** What has happened to the slot, in words that end "the slot …". */
export interface SlotVerdict {
  readonly why: string;
  /** A slot of this name is there, and has to go. */
  readonly mustDrop: boolean;
  /** The slot has to follow a failover: it is asked for, or the one that is there does. */
  readonly isFailover: boolean;
  /** The slot is sound, so nothing is missing: only that it follows a failover is to be made good. */
  readonly isOnlyFailover: boolean;
}

/**
 * Judges whether there is something to recover. Pure.
 * @throws CliError SLOT_ACTIVE (exit 6), SLOT_HEALTHY, SLOT_UNKNOWN, SLOT_MISMATCH, ROLE_MAY_NOT_REPLICATE, WAL_LEVEL, FAILOVER_UNKNOWN: nothing was
 * done.
 */
export function judgeLostSlot(
  facts: SlotFacts,
  { force = false, failover = false }: RecoverWish,
): SlotVerdict {
  const { slot, existing, role } = facts;
  const knowsFailover = facts.versionNumber >= 170_000;
  if (facts.walLevel !== 'logical')
    refuse('WAL_LEVEL', `wal_level is ${facts.walLevel}: set it to logical and restart Postgres`);
  if (!facts.mayReplicate)
    refuse(
      'ROLE_MAY_NOT_REPLICATE',
      `role ${role} may not make a slot: alter role ${role} replication (on RDS and Aurora: grant rds_replication to ${role})`,
    );
  // Else it would fail as the last step of all, behind everything that was done.
  if (failover && !knowsFailover)
    refuse(
      'FAILOVER_UNKNOWN',
      `a slot that follows a failover needs Postgres 17; the server is version ${Math.floor(facts.versionNumber / 10_000)}: leave out --failover`,
    );
  if (existing === undefined) {
    const made = { mustDrop: false, isFailover: failover, isOnlyFailover: false };
    if (facts.isRecorded) return { why: 'was dropped', ...made };
    if (force) return { why: 'was never made by a relay', ...made };
    return refuse(
      'SLOT_UNKNOWN',
      `no relay has recorded a slot "${slot}" in this database, so none is lost: check OUTBOUND_SLOT; the first start of a relay makes its slot (--force publishes what is in the outbox all the same)`,
    );
  }
  const { kind, plugin, activePid, walStatus, invalidationReason, isAhead } = existing;
  // Not even with --force: it is somebody else's, such as a standby's.
  if (kind !== 'logical' || plugin !== 'pgoutput' || existing.database !== facts.database)
    refuse(
      'SLOT_MISMATCH',
      `slot "${slot}" is ${kind}${plugin === null ? '' : ` with plugin ${plugin}`}${existing.database === null ? '' : ` of database "${existing.database}"`}, so it is none of a relay of this database ("${facts.database}"): check OUTBOUND_SLOT and OUTBOUND_DATABASE_URL`,
    );
  if (activePid !== null)
    throw new CliError(
      'SLOT_ACTIVE',
      `slot "${slot}" is in use by the server process ${activePid}: a relay is running; stop it if it is to be recovered`,
      { exitCode: exitCodes.busy },
    );
  const isFailover = existing.isFailover || failover;
  const replaced = { mustDrop: true, isFailover, isOnlyFailover: false };
  if (walStatus === 'lost' || invalidationReason !== null)
    return { why: `was given up by Postgres (${invalidationReason ?? 'lost'})`, ...replaced };
  if (isAhead) return { why: 'has confirmed more than the log has', ...replaced };
  if (force) return { why: 'is replaced because --force says so', ...replaced };
  const isWithout = knowsFailover && !existing.isFailover;
  if (isWithout && failover)
    return {
      why: 'is sound, and does not follow a failover',
      mustDrop: false,
      isFailover,
      isOnlyFailover: true,
    };
  return refuse(
    'SLOT_HEALTHY',
    `slot "${slot}" is there and sound (wal_status ${walStatus ?? 'unknown'}), so a relay goes on from it by itself; if somebody made it anew by hand, say --force${isWithout ? '; if it is to follow failovers, say --failover' : ''}`,
  );
}

function refuse(code: string, why: string): never {
  throw new CliError(code, why, { exitCode: exitCodes.usage });
}
