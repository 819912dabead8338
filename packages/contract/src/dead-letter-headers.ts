/**
 * Headers that a dead letter has behind those of the record it was. Values are UTF-8 text. A record that becomes a
 * dead letter for a second time has them twice: the last ones are the newest, and those before them belong to the
 * record.
 */
export const deadLetterHeader = {
  topic: 'dead_letter_topic',
  partition: 'dead_letter_partition',
  offset: 'dead_letter_offset',
  /** The record's own time, milliseconds since 1970. */
  timestamp: 'dead_letter_timestamp',
  /** Group that could not handle it; `outbound-relay` where it could not be published. */
  group: 'dead_letter_group',
  /** Event id, also where the record had none of its own. */
  eid: 'dead_letter_eid',
  /**
   * `failed`: it could not be handled. `parked`: an earlier event of its key could not, so it waits behind that one.
   */
  reason: 'dead_letter_reason',
  code: 'dead_letter_code',
  message: 'dead_letter_message',
  attempts: 'dead_letter_attempts',
  /** ISO 8601. */
  at: 'dead_letter_at',
} as const;

/** What a dead letter of the relay has besides: the outbox row that it was, and its place in the queue of its key. */
export const outboxLetterHeader = {
  aggregateType: 'outbox_aggregatetype',
  type: 'outbox_type',
  version: 'outbox_version',
  dataOp: 'outbox_data_op',
  /** The row's column `headers`, as it was. */
  headers: 'outbox_headers',
  /** Where the parking began (`ParkedState.since`). */
  since: 'parked_since',
  /** Which letter of the parking it is, from 1. */
  number: 'parked_number',
  /**
   * Its size, where the value was too large for the dead-letter topic, too, and is left out: the outbox has it while
   * it keeps the row.
   */
  leftOutBytes: 'value_left_out_bytes',
} as const;

/**
 * The header of a record in the topic of parked keys that has its `ParkedEntry`; a key that is free has no value, and
 * this header all the same.
 */
export const parkedEntryHeader = 'parked_entry';
