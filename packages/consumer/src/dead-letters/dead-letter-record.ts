import { errorForLog, PipelineError } from '@outbound/service-kit';
import type { InboundRecord } from '../events/parse-record.ts';

/** Headers that a dead letter has beside those of the record it was. Values are UTF-8 text. */
export const deadLetterHeader = {
  topic: 'dead_letter_topic',
  partition: 'dead_letter_partition',
  offset: 'dead_letter_offset',
  /** Group that could not handle it. */
  group: 'dead_letter_group',
  /** Event id, also where the record had none of its own. */
  eid: 'dead_letter_eid',
  /** `failed`: it could not be handled. `parked`: an earlier event of its key could not, so it waits behind that one. */
  reason: 'dead_letter_reason',
  code: 'dead_letter_code',
  message: 'dead_letter_message',
  attempts: 'dead_letter_attempts',
  /** ISO 8601. */
  at: 'dead_letter_at',
} as const;

/** Why a record became a dead letter. */
export interface DeadLetterCause {
  readonly reason: 'failed' | 'parked';
  readonly eid: string;
  readonly group: string;
  /** How often it was tried; 0 if it was parked. */
  readonly attempts: number;
  readonly error: unknown;
}

export interface DeadLetterRecord {
  readonly key: string | null;
  /** The bytes as they came; null for a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

const maxMessageLength = 500;

/** The record that goes to the dead-letter topic: same key, value verbatim, its own headers and the cause. */
export function deadLetterRecord(
  record: InboundRecord,
  { reason, eid, group, attempts, error }: DeadLetterCause,
  now: Date,
): DeadLetterRecord {
  const { code, message } = causeOf(error);
  return {
    key: record.hasKey ? record.key : null,
    value: record.value,
    headers: {
      ...record.headers,
      [deadLetterHeader.topic]: record.topic,
      [deadLetterHeader.partition]: String(record.partition),
      [deadLetterHeader.offset]: String(record.offset),
      [deadLetterHeader.group]: group,
      [deadLetterHeader.eid]: eid,
      [deadLetterHeader.reason]: reason,
      [deadLetterHeader.code]: code,
      [deadLetterHeader.message]: message,
      [deadLetterHeader.attempts]: String(attempts),
      [deadLetterHeader.at]: now.toISOString(),
    },
  };
}

/** Code and message of an error, by the rule of the logs: what drivers paste in of row values is left out. One line, bounded. */
function causeOf(error: unknown): { code: string; message: string } {
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
