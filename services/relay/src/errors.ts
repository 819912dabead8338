import { KafkaError, type KafkaErrorCode } from '@outbound/kafka';
import { PipelineError } from '@outbound/service-kit';

/** What the relay does about an error: try again with back-off, wait as a standby, or stop for a person. */
export type RecoveryAction = 'retry' | 'standby' | 'halt';

interface Recovery {
  readonly action: RecoveryAction;
  /** Exit code of the process when it halts; distinct per remedy, so that a supervisor can tell them apart. */
  readonly exitCode: number;
  /** One sentence for the person who has to act. */
  readonly remedy: string;
}

const retry = (remedy: string): Recovery => ({ action: 'retry', exitCode: 1, remedy });
const halt = (exitCode: number, remedy: string): Recovery => ({ action: 'halt', exitCode, remedy });

/**
 * Every code, and what follows from it. Retry is a short list on purpose: what is not known to heal by itself stops the relay
 * with its own exit code and one sentence (I8). `docs/errors.md` is held equal to this table by a test.
 */
export const recoveries = {
  CONFIG_INVALID: halt(2, 'Correct the named setting and start again.'),
  SOURCE_CONNECTION_LOST: retry(
    'Check that Postgres runs and can be reached; the relay reconnects by itself.',
  ),
  SOURCE_IN_RECOVERY: retry(
    'Wait while the server recovers or is promoted; if it stays a standby, connect to the primary. The relay asks again by itself.',
  ),
  SOURCE_AUTH_FAILED: halt(
    10,
    'Check user, password and pg_hba.conf in RELAY_DATABASE_URL; the role needs LOGIN and REPLICATION.',
  ),
  SOURCE_SLOT_BUSY: {
    action: 'standby',
    exitCode: 1,
    remedy: 'Another relay holds the slot; this one takes over when it is free.',
  },
  SOURCE_SLOT_MISSING: halt(
    11,
    'Data gap: there is no slot, so changes are not in the log for us. Run outbound recover: it makes a new slot and puts what is missing before it; for a copy with topics of its own see docs/restores.md.',
  ),
  SOURCE_SLOT_INVALIDATED: halt(
    11,
    'Data gap: Postgres gave up the slot (wal_status=lost). Run outbound recover: it makes a new slot and puts what is missing before it; raise the setting that the message names.',
  ),
  SOURCE_WENT_BACK: retry(
    'The database was brought back to an earlier state, or another server took its place; the relay publishes again from there by itself. Afterwards run outbound verify --repair.',
  ),
  SOURCE_SLOT_MISMATCH: halt(
    12,
    'The slot belongs to another plugin or database: name another slot in RELAY_SLOT.',
  ),
  SOURCE_PUBLICATION_MISSING: halt(
    13,
    'Run the migrations: they create the publication before any slot.',
  ),
  SOURCE_PUBLICATION_WRONG: halt(
    13,
    'Alter the publication so that it publishes inserts of the outbox, unfiltered and through its root.',
  ),
  SOURCE_WAL_LEVEL: halt(14, 'Set wal_level = logical in postgresql.conf and restart Postgres.'),
  SOURCE_UNSUPPORTED: halt(
    14,
    'Connect to a Postgres primary of version 15 or later, directly and not through a pooler.',
  ),
  SOURCE_OUTBOX_MISSING: halt(
    13,
    'Run the migrations: the outbox table is not there, or has not the columns that the relay reads.',
  ),
  DECODE_PROTOCOL: halt(
    15,
    'The replication stream does not follow the protocol: report it with this message; nothing was acknowledged past it.',
  ),
  EVENT_MALFORMED: halt(
    20,
    'Look at the named outbox row; if its event may be left out, list its id in RELAY_SKIP_EVENTS and start again.',
  ),
  EVENT_TYPE_UNKNOWN: halt(
    20,
    'Deploy a relay that knows this event type; if the event may be left out, list its id in RELAY_SKIP_EVENTS.',
  ),
  EVENT_TOO_LARGE: halt(
    20,
    'The event exceeds what Kafka takes; if it may be left out, list its id in RELAY_SKIP_EVENTS.',
  ),
  EVENT_REFUSED: halt(
    20,
    'Kafka refuses the event for the reason that the message has: let the topic take it, or, if the event may be left out, list its id in RELAY_SKIP_EVENTS.',
  ),
  SINK_UNAVAILABLE: retry(
    'Check that Kafka runs and can be reached; the relay goes on trying and Postgres keeps the changes.',
  ),
  SINK_PARTITION_UNAVAILABLE: retry(
    'A partition has no leader or too few replicas in sync: bring the brokers back; other partitions flow meanwhile, unless RELAY_DELIVERY is exactly-once.',
  ),
  SINK_SESSION_BROKEN: retry(
    'Kafka no longer knows this producer or its sequence; the relay opens a new session by itself.',
  ),
  SINK_AUTH_FAILED: halt(
    30,
    'Check the Kafka credentials and the ACLs: write, describe and read on the topics, describe and write on the transactional id.',
  ),
  SINK_TOPIC_MISSING: halt(
    31,
    'Run the provisioning: topics are created from their declarations, never by a write.',
  ),
  SINK_TOPIC_MISMATCH: halt(
    31,
    'The topic differs from its declaration; alter the topic or the declaration. Never add partitions to a keyed topic.',
  ),
  SINK_REJECTED: halt(
    32,
    'Kafka refuses the records for good; the message names the topic and the reason.',
  ),
  SINK_JOURNAL_LOST: halt(
    33,
    'The topic of parked keys was deleted and made again, so nobody knows which keys wait: docs/dead-letters.md says what can be saved, and how to go on.',
  ),
  SINK_FENCED: {
    action: 'standby',
    exitCode: 1,
    remedy: 'A newer relay has taken over; this one waits for the slot again.',
  },
  INVARIANT_BROKEN: halt(
    70,
    'This is a defect of the relay: report it with this message; nothing was acknowledged past it.',
  ),
} as const satisfies Record<string, Recovery>;

export type RelayErrorCode = keyof typeof recoveries;

interface RelayErrorOptions extends ErrorOptions {
  /** Id of the outbox event that the error is about, if it is about one. */
  eid?: string | undefined;
}

/**
 * An error of the relay; its code decides what happens next. After SINK_UNAVAILABLE (a broker) the same send is tried again as it is;
 * after SINK_PARTITION_UNAVAILABLE each lane is tried alone, so that one partition does not hold the others;
 * SINK_SESSION_BROKEN and every SOURCE_* of action `retry` end the session, and a new one starts.
 */
export class RelayError extends PipelineError<RelayErrorCode> {
  readonly eid: string | undefined;
  constructor(code: RelayErrorCode, message: string, options?: RelayErrorOptions) {
    super(code, message, options);
    this.eid = options?.eid;
  }
  get recovery(): Recovery {
    return recoveries[this.code];
  }
}

/** What an error of the Kafka layer means for the relay. */
const sinkCodes = {
  KAFKA_UNAVAILABLE: 'SINK_UNAVAILABLE',
  KAFKA_PARTITION_UNAVAILABLE: 'SINK_PARTITION_UNAVAILABLE',
  KAFKA_AUTH_FAILED: 'SINK_AUTH_FAILED',
  KAFKA_FORBIDDEN: 'SINK_AUTH_FAILED',
  KAFKA_TOPIC_MISSING: 'SINK_TOPIC_MISSING',
  KAFKA_PARTITION_MISSING: 'SINK_TOPIC_MISMATCH',
  KAFKA_GROUP_NOT_EMPTY: 'INVARIANT_BROKEN',
  KAFKA_TOPIC_CHANGED: 'SINK_TOPIC_MISMATCH',
  KAFKA_PRODUCER_LOST: 'SINK_SESSION_BROKEN',
  KAFKA_FENCED: 'SINK_FENCED',
  // Of group members only, which the relay has none of.
  KAFKA_NOT_OURS: 'INVARIANT_BROKEN',
  KAFKA_REJECTED: 'SINK_REJECTED',
  KAFKA_UNSUPPORTED: 'SINK_REJECTED',
  KAFKA_RECORDS_UNREADABLE: 'INVARIANT_BROKEN',
  KAFKAJS_VERSION: 'INVARIANT_BROKEN',
} as const satisfies Record<KafkaErrorCode, RelayErrorCode>;

/** Any thrown value as a RelayError: an error of Kafka or of the settings keeps its words; what is not known is a defect, and halts. */
export function toRelayError(thrown: unknown): RelayError {
  if (thrown instanceof RelayError) return thrown;
  if (thrown instanceof PipelineError && thrown.code === 'CONFIG_INVALID')
    return new RelayError('CONFIG_INVALID', thrown.message, { cause: thrown });
  if (thrown instanceof KafkaError)
    return new RelayError(sinkCodes[thrown.code], thrown.message, { cause: thrown });
  return new RelayError(
    'INVARIANT_BROKEN',
    thrown instanceof Error ? thrown.message : String(thrown),
    { cause: thrown },
  );
}
