import { keyText, type KafkaRecord, type RecordHeader } from '@outbound/kafka';
import { deadLetterHeader, recordHeader } from '@outbound/contract';
import type { LetterQueue } from './redrive-journal.ts';

/** A record of a dead-letter topic: what it was, and why it is there. */
export interface DeadLetter extends LetterQueue {
  /** Of the dead-letter topic. */
  readonly place: { readonly partition: number; readonly offset: bigint };
  /** The record as it was in its topic: place, time, key, value and headers. */
  readonly record: KafkaRecord;
  readonly eid: string;
  /** Event type; empty where no header says it. */
  readonly type: string;
  readonly reason: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  /** ISO 8601. */
  readonly at: string;
}

const names = Object.values(deadLetterHeader);

/** The dead letter that a group has written; undefined for any other record, the relay's letters among them. */
export function deadLetterOf(record: KafkaRecord): DeadLetter | undefined {
  const list = record.headerList();
  const behind = list.slice(-names.length);
  if (behind.length < names.length || behind.some(({ name }, at) => name !== names[at]))
    return undefined;
  const told = (field: keyof typeof deadLetterHeader): string =>
    record.headers[deadLetterHeader[field]] ?? '';
  const [partition, offset, timestampMs] = [told('partition'), told('offset'), told('timestamp')];
  if (!isWhole(partition) || !isWhole(offset) || !isWhole(timestampMs)) return undefined;
  const own = list.slice(0, -names.length);
  const headers = textOf(own);
  return {
    group: told('group'),
    topic: told('topic'),
    key: record.key && keyText(record.key),
    place: { partition: record.partition, offset: record.offset },
    record: {
      topic: told('topic'),
      partition: Number(partition),
      offset: BigInt(offset),
      timestampMs: Number(timestampMs),
      key: record.key,
      value: record.value,
      headers,
      headerList: () => own,
    },
    eid: told('eid'),
    type: headers[recordHeader.type] ?? '',
    reason: told('reason'),
    code: told('code'),
    message: told('message'),
    attempts: Number(told('attempts')),
    at: told('at'),
  };
}

function isWhole(text: string): boolean {
  return /^-?\d+$/.test(text);
}

function textOf(list: readonly RecordHeader[]): Readonly<Record<string, string>> {
  return Object.fromEntries(list.map(({ name, value }) => [name, value?.toString() ?? '']));
}
