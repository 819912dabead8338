import { aloneInBatchBytes } from '@outbound/kafka';
import {
  deadLetterHeader,
  maxDeadLetterBytes,
  outboxLetterHeader,
  parkedEntryHeader,
  parkedEntryToText,
  parkedKeyText,
  partitionOf,
  recordHeader,
  type DeadLetterTopics,
  type ParkedEntry,
  type ParkedState,
} from '@outbound/contract';
import type { OutboundRecord } from '../kafka/outbound-record.ts';
import type { RawEvent } from '../outbox/raw-event.ts';

/** Why an event became a dead letter, and when. */
export interface LetterCause {
  /** `parked`: an earlier event of the key waits. */
  readonly reason: 'failed' | 'parked';
  readonly code: string;
  readonly message: string;
  readonly nowMs: number;
}

/**
 * The dead letter of an event: the key and value that its records have, and headers that say what row it was, why it
 * is here and which letter of its key it is; the form is that of the consumers' dead letters. It carries `source_lsn`
 * as every record of ours, so it is delivered, acknowledged and known after a restart like every other one. An event
 * that is too large even for the dead-letter topic goes there without its value.
 */
export function deadLetter(
  event: RawEvent,
  place: string,
  { since, count }: ParkedState,
  { reason, code, message, nowMs }: LetterCause,
  { deadLetters: { topic, partitions } }: DeadLetterTopics,
): OutboundRecord {
  const record: OutboundRecord = {
    topic,
    partition: partitionOf(event.aggregateId, partitions),
    key: event.aggregateId,
    value: event.payload,
    headers: {
      [recordHeader.id]: event.eid,
      [recordHeader.type]: event.type,
      [recordHeader.subject]: event.aggregateId,
      [recordHeader.dataOp]: event.dataOp,
      [recordHeader.dataVersion]: event.version,
      [recordHeader.sourceLsn]: place,
      [outboxLetterHeader.aggregateType]: event.aggregateType,
      [outboxLetterHeader.type]: event.type,
      [outboxLetterHeader.version]: event.version,
      [outboxLetterHeader.dataOp]: event.dataOp,
      [outboxLetterHeader.headers]: event.headers,
      [outboxLetterHeader.since]: since,
      [outboxLetterHeader.number]: String(count),
      [deadLetterHeader.topic]: '',
      [deadLetterHeader.partition]: '',
      [deadLetterHeader.offset]: '',
      [deadLetterHeader.timestamp]: String(event.commitTimeMs),
      [deadLetterHeader.group]: 'outbound-relay',
      [deadLetterHeader.eid]: event.eid,
      [deadLetterHeader.reason]: reason,
      [deadLetterHeader.code]: code,
      [deadLetterHeader.message]: message.replaceAll(/\s+/g, ' ').slice(0, 500),
      [deadLetterHeader.attempts]: reason === 'failed' ? '1' : '0',
      [deadLetterHeader.at]: new Date(nowMs).toISOString(),
    },
    position: event.position,
    timestampMs: nowMs,
  };
  if (aloneInBatchBytes(record) <= maxDeadLetterBytes) return record;
  const bytes = String(record.value?.length ?? 0);
  return {
    ...record,
    value: null,
    headers: { ...record.headers, [outboxLetterHeader.leftOutBytes]: bytes },
  };
}

/**
 * How a key stands after a decision, for the topic of parked keys: no value if it is free. The decision itself is in
 * a header, since a tombstone has it, too.
 */
export function parkedEntryRecord(
  { eid, position }: Pick<RawEvent, 'eid' | 'position'>,
  place: string,
  entry: ParkedEntry,
  nowMs: number,
  { parkedKeys: { topic, partitions } }: DeadLetterTopics,
): OutboundRecord {
  const key = parkedKeyText(entry.aggregateType, entry.aggregateId);
  return {
    topic,
    partition: partitionOf(key, partitions),
    key,
    value: entry.after ? Buffer.from(JSON.stringify(entry.after)) : null,
    headers: {
      [recordHeader.id]: eid,
      [recordHeader.sourceLsn]: place,
      [parkedEntryHeader]: parkedEntryToText(entry),
    },
    position,
    timestampMs: nowMs,
  };
}
