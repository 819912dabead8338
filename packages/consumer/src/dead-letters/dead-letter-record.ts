import type { KafkaRecord, RecordHeader } from '@outbound/kafka';
import { deadLetterHeader } from '@outbound/contract';
import { errorForLog, PipelineError } from '@outbound/service-kit';

export { deadLetterHeader };

/** Why a record became a dead letter. */
export interface DeadLetterCause {
  readonly reason: 'failed' | 'parked';
  readonly eid: string;
  readonly group: string;
  /** How often it was tried; 0 if it was parked. */
  readonly attempts: number;
  readonly error: unknown;
}

/** A record for the dead-letter topic, byte for byte. */
export interface DeadLetterRecord {
  readonly key: Buffer | null;
  /** null for a tombstone. */
  readonly value: Buffer | null;
  /** In this order; a name may come more than once. */
  readonly headers: readonly RecordHeader[];
  /** When it became a dead letter, ms since 1970: the retention of the dead-letter topic begins here, and not when the record was new. */
  readonly timestampMs: number;
}

const maxMessageLength = 500;

/**
 * The record that goes to the dead-letter topic: key, value and headers are those of the record, byte for byte and in their order, and eleven headers behind them
 * say where it was and why it is here. So whoever takes the last eleven away has what has to be sent again.
 */
export function deadLetterRecord(
  record: KafkaRecord,
  { reason, eid, group, attempts, error }: DeadLetterCause,
  now: Date,
): DeadLetterRecord {
  const { code, message } = causeOf(error);
  const why: Readonly<Record<keyof typeof deadLetterHeader, string>> = {
    topic: record.topic,
    partition: String(record.partition),
    offset: String(record.offset),
    timestamp: String(record.timestampMs),
    group,
    eid,
    reason,
    code,
    message,
    attempts: String(attempts),
    at: now.toISOString(),
  };
  return {
    key: record.key,
    value: record.value,
    headers: [
      ...record.headerList(),
      ...Object.entries(why).map(([field, text]) => ({
        name: deadLetterHeader[field as keyof typeof deadLetterHeader],
        value: Buffer.from(text),
      })),
    ],
    timestampMs: now.getTime(),
  };
}

/** Code and message of an error, by the rule of the logs: what drivers paste in of row values is left out. One line, bounded. */
export function causeOf(error: unknown): { code: string; message: string } {
  const safe = errorForLog(error);
  if (typeof safe !== 'object' || safe === null)
    return { code: 'FAILED', message: oneLine(String(safe)) };
  const { code, name, message } = safe as { code?: unknown; name?: unknown; message?: unknown };
  const isOurs = error instanceof PipelineError;
  return {
    code: String(code ?? (isOurs ? 'FAILED' : name)).slice(0, 100),
    message: oneLine(String(message)),
  };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, maxMessageLength);
}
