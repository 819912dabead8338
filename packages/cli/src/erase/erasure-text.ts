import type { ClearedLetters } from './clear-letters.ts';
import type { DeletedHistory } from './delete-history.ts';
import { goneByCompaction, goneByRetention, type TopicSettings } from './erasure-bounds.ts';

/** A topic that the entity's events went to, and what says how long they stay. */
export interface TopicBound {
  readonly topic: string;
  readonly cleanupPolicy: 'delete' | 'compact';
  readonly settings: TopicSettings;
}

/** What was done, and what is left. */
export interface Erasure {
  readonly aggregate: string;
  readonly id: string;
  readonly version: number;
  readonly at: Date;
  readonly answers: number;
  readonly outboxRows: number;
  /** Which reader of the log has not confirmed the events yet. */
  readonly waitsFor: string | undefined;
  /** Its key is parked again, so the deletion has become a dead letter. */
  readonly isParked: boolean;
  /** Undefined: not done yet, for one of these reasons. */
  readonly letters: ClearedLetters | undefined;
  readonly deletesRecords: boolean;
  readonly deleted: readonly DeletedHistory[];
  readonly bounds: readonly TopicBound[];
}

/** When each topic has nothing of the entity any more; null is unknown, since no setting says so. */
function goneBy({ at, bounds }: Erasure) {
  return bounds.map(({ topic, cleanupPolicy, settings }) => {
    if (cleanupPolicy === 'delete')
      return { topic, valueBy: textOf(goneByRetention(settings, at)), tombstoneBy: null };
    const { value, tombstone } = goneByCompaction(settings, at);
    return { topic, valueBy: textOf(value), tombstoneBy: textOf(tombstone) };
  });
}

/** The answer for programs. */
export function erasureAnswer(erasure: Erasure) {
  const { aggregate, id, version, answers, outboxRows, waitsFor, isParked, letters } = erasure;
  return {
    ...{ aggregate, id, version, done: letters !== undefined, answers, outboxRows },
    ...{ waitsFor: waitsFor ?? null, parked: isParked },
    deadLetters: letters ?? null,
    deletedRecords: erasure.deleted.map(({ records, ...place }) => ({
      ...place,
      records: Number(records),
    })),
    topics: goneBy(erasure),
  };
}

/** The answer for people: what is gone, what is not yet, and by when the rest is. */
export function erasureText(erasure: Erasure): string {
  const { aggregate, id, version, answers, outboxRows, waitsFor, isParked, letters } = erasure;
  const lines = [
    `${aggregate} ${id} is erased: its row keeps id and version ${version}, ${outboxRows} older events are gone from the outbox, ${answers} kept answers show it no more`,
  ];
  if (waitsFor !== undefined)
    lines.push(
      `not yet: its events stay in the outbox until they are published (${waitsFor}); run this again then`,
    );
  if (isParked)
    lines.push(
      'not yet: its key is parked, so the deletion is a dead letter: see outbound dead-letters list, and run this again',
    );
  if (letters !== undefined)
    lines.push(
      `${letters.removed} dead letters are gone; ${letters.moved} of others were written again behind them`,
    );
  for (const { topic, partition, records } of erasure.deleted)
    lines.push(
      `${topic}: ${records} records at the beginning of partition ${partition} are deleted`,
    );
  if (erasure.deletesRecords && letters !== undefined && erasure.deleted.length === 0)
    lines.push('no records were deleted: the change topic does not have the deletion');
  for (const { topic, valueBy, tombstoneBy } of goneBy(erasure))
    lines.push(
      `${topic}: ${valueBy === null ? 'no setting bounds when the data is gone' : `the data is gone by ${valueBy}`}${tombstoneBy === null ? '' : `, and the tombstone by ${tombstoneBy}`}`,
    );
  return lines.join('\n');
}

function textOf(moment: Date | undefined): string | null {
  return moment?.toISOString() ?? null;
}
