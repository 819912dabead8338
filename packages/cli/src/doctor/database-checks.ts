import type { DatabaseFacts } from './database-facts.ts';
import { fault, ok, unknown, warning, type Finding } from './finding.ts';

/** What the facts mean for the pipeline, in the order in which a person would repair it. Pure. */
export function judgeDatabase(
  facts: DatabaseFacts,
  names: { readonly slot: string; readonly publication: string },
): readonly Finding[] {
  return [
    ...judgeServer(facts),
    judgeSlots(facts),
    judgeSenders(facts),
    ...judgeRoles(facts),
    judgePublication(facts, names.publication),
    ...judgeSlot(facts, names.slot),
  ];
}

function judgeServer(facts: DatabaseFacts): readonly Finding[] {
  const { version, version_number: number, is_standby: isStandby, wal_level: walLevel } = facts;
  return [
    number < 150_000
      ? fault('postgres', `version ${version}`, 'the pipeline needs Postgres 15 or later')
      : isStandby
        ? fault(
            'postgres',
            `version ${version}, a standby`,
            'connect to the primary: a slot on a standby is not the one that is acknowledged',
          )
        : ok('postgres', `version ${version}, a primary; connected as ${facts.role}`),
    walLevel === 'logical'
      ? ok('wal_level', walLevel)
      : fault(
          'wal_level',
          `is ${walLevel}`,
          'alter system set wal_level = logical, and restart Postgres',
        ),
  ];
}

function judgeSlots(facts: DatabaseFacts): Finding {
  const { max_replication_slots: max, used_replication_slots: used, slot } = facts;
  const says = `${used} of ${max} used`;
  if (used < max || slot) return ok('max_replication_slots', says);
  return fault(
    'max_replication_slots',
    says,
    'drop a slot that nobody reads (pg_drop_replication_slot), or raise max_replication_slots and restart',
  );
}

function judgeSenders(facts: DatabaseFacts): Finding {
  const { max_wal_senders: max, used_wal_senders: used, slot } = facts;
  const says = `${used} of ${max} used`;
  if (used < max || slot?.active === true) return ok('max_wal_senders', says);
  return fault(
    'max_wal_senders',
    says,
    'raise max_wal_senders and restart Postgres: the relay streams through one of them',
  );
}

function judgeRoles(facts: DatabaseFacts): readonly Finding[] {
  const migrate = 'run migrate (the catalog API has it), which makes roles and grants';
  const names = ['outbound_api', 'outbound_relay', 'outbound_operator'];
  const byName = new Map(facts.roles.map((role) => [role.name, role]));
  const missing = names.filter((name) => !byName.has(name));
  const findings: Finding[] = [];
  if (missing.length > 0)
    findings.push(fault('roles', `${missing.join(', ')} do not exist`, migrate));
  const asleep = facts.roles.filter(({ can_login: canLogin }) => !canLogin);
  if (asleep.length > 0)
    findings.push(
      warning(
        'roles',
        `${asleep.map(({ name }) => name).join(', ')} cannot log in`,
        'give migrate the passwords, or let the services log in as members of these roles',
      ),
    );
  if (byName.get('outbound_relay')?.can_replicate === false)
    findings.push(
      warning(
        'roles',
        'outbound_relay has no REPLICATION',
        'alter role outbound_relay replication (on RDS and Aurora: grant rds_replication to outbound_relay), unless the relay logs in as another role that has it',
      ),
    );
  if (facts.missing_grants.length > 0)
    findings.push(fault('grants', `missing ${facts.missing_grants.join('; ')}`, migrate));
  if (!facts.sees_others)
    findings.push(
      warning(
        'grants',
        `${facts.role} cannot see other sessions`,
        `grant pg_read_all_stats to ${facts.role}, so that status can say what keeps the log`,
      ),
    );
  return findings.length > 0 ? findings : [ok('roles', 'all there, with their grants')];
}

function judgePublication(
  { publication, has_outbox: hasOutbox }: DatabaseFacts,
  name: string,
): Finding {
  const check = `publication ${name}`;
  if (!hasOutbox) return fault(check, 'there is no outbox to publish', 'run migrate');
  if (!publication)
    return fault(
      check,
      'does not exist',
      'run migrate; if it was dropped while a slot exists, make a new slot with outbound recover afterwards',
    );
  if (!publication.covers_outbox)
    return fault(
      check,
      'does not publish the outbox',
      `alter publication ${name} add table outbox`,
    );
  if (!publication.inserts)
    return fault(
      check,
      'does not publish inserts',
      `alter publication ${name} set (publish = 'insert')`,
    );
  if (!publication.via_root)
    return fault(
      check,
      'publishes partitions under their own names',
      `alter publication ${name} set (publish_via_partition_root = true)`,
    );
  if (publication.has_filter)
    return fault(
      check,
      'leaves out rows by a filter',
      `alter publication ${name} set table outbox`,
    );
  return ok(check, 'publishes inserts into the outbox, under its own name');
}

function judgeSlot(facts: DatabaseFacts, name: string): readonly Finding[] {
  const check = `slot ${name}`;
  const { slot, is_slot_recorded: isRecorded, database, max_slot_wal_keep_size: keep } = facts;
  if (!slot) {
    if (isRecorded === true)
      return [
        fault(check, 'a relay made it, and it is gone: changes are missing', 'outbound recover'),
      ];
    return isRecorded === null
      ? [unknown(check, 'does not exist; whether it ever did cannot be seen', 'run migrate')]
      : [warning(check, 'does not exist yet', 'start the relay, which makes it')];
  }
  const remake = `drop it (pg_drop_replication_slot), then outbound recover`;
  if (slot.slot_type !== 'logical' || slot.plugin !== 'pgoutput')
    return [fault(check, `is ${slot.slot_type} with plugin ${slot.plugin}, not pgoutput`, remake)];
  if (slot.database !== database)
    return [
      fault(
        check,
        `belongs to database ${slot.database}, not ${database}`,
        'name that database in OUTBOUND_DATABASE_URL, or another slot in OUTBOUND_SLOT',
      ),
    ];
  if (slot.wal_status === 'lost')
    return [fault(check, 'was given up by Postgres: changes are missing', 'outbound recover')];
  if (slot.is_ahead === true)
    return [
      fault(
        check,
        'has confirmed more than the log has: they were restored apart, and changes are missing',
        'outbound recover, then outbound verify --repair',
      ),
    ];
  const findings: Finding[] = [];
  if (!slot.active)
    findings.push(
      warning(check, 'nobody reads it, and Postgres keeps all log for it', 'start the relay'),
    );
  if (findings.length === 0)
    findings.push(ok(check, `is read by a relay; wal_status ${slot.wal_status ?? 'unknown'}`));
  findings.push(
    keep === '-1'
      ? warning(
          'max_slot_wal_keep_size',
          'is not set: log for a relay that stands still can fill the disk',
          'alter system set max_slot_wal_keep_size = about half of the free disk, and watch relay_slot_safe_wal_bytes',
        )
      : ok('max_slot_wal_keep_size', keep),
  );
  return findings;
}

/** What partitions the outbox has, and what is in the wrong one. */
export interface OutboxPartitions {
  /** As in the status: whole days that have a partition. */
  readonly days_ahead: number | null;
  readonly default_has_rows: boolean;
  /**
   * From then on the default partition takes no rows, unless its own have become a partition; null where nothing is
   * refused.
   */
  readonly refuses_from: Date | null;
}

/** Whether rows find their partition. `now` is the server's. */
export function judgeOutbox(outbox: OutboxPartitions, now: Date): Finding {
  const check = 'outbox partitions';
  const fix =
    'call outbox_keep_house(); in psql, as outbound_operator (docs/outbox.md); a running relay does it by itself (RELAY_HOUSEKEEPING_INTERVAL_MS above 0)';
  const { days_ahead: days, refuses_from: refusesFrom } = outbox;
  if (refusesFrom && refusesFrom.getTime() - now.getTime() < 24 * 3_600_000)
    return fault(
      check,
      `outbox_default refuses rows from ${refusesFrom.toISOString()} on, since its own could not be moved until now`,
      `${fix}; it says who is in its way, for you to end`,
    );
  if (outbox.default_has_rows)
    return warning(
      check,
      'outbox_default has rows, and no partition is made before they moved',
      fix,
    );
  if (days === null) return fault(check, 'there are none', fix);
  return days < 2
    ? warning(check, `only ${days} days ahead`, fix)
    : ok(check, `${days} days ahead`);
}

/** @param skewMs the server's clock less ours; the answer's way is within `toleranceMs`. */
export function judgeClock(skewMs: number, toleranceMs: number): Finding {
  const says = `Postgres is ${Math.abs(Math.round(skewMs))} ms ${skewMs < 0 ? 'behind' : 'ahead of'} this machine`;
  return Math.abs(skewMs) > Math.max(1000, toleranceMs)
    ? warning('clock', says, 'keep both with NTP: lag in seconds is off by as much')
    : ok('clock', says);
}
