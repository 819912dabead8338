import { CliError, exitCodes } from '../exit-codes.ts';
import type { AdminPartition, GroupFacts, PartitionOffset } from '../kafka/kafka-admin.ts';

/** Where a group is set in one partition, and what that means. */
export interface GroupMove {
  readonly partition: number;
  /** Where the group is; null if it has committed nothing here, so it is where its own policy begins. */
  readonly from: bigint | null;
  readonly to: bigint;
  /**
   * Offsets that come again; negative: that are passed over; null: unknown. Of a compacted topic the records are fewer.
   */
  readonly again: bigint | null;
}

/** What the command line says of the place. Exactly one. */
export interface PlaceOptions {
  readonly toTime?: string;
  readonly toOffset?: string;
  readonly toEvent?: string;
}

export type Place =
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'event'; readonly eid: string };

/** @throws CliError PLACE_INVALID, exit 2 */
export function parsePlace({ toTime, toOffset, toEvent }: PlaceOptions): Place {
  const given = [toTime, toOffset, toEvent].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw invalid('say one of --to-time, --to-offset and --to-event, and no more');
  if (toEvent !== undefined) return { kind: 'event', eid: toEvent.toLowerCase() };
  if (toOffset !== undefined) {
    if (!/^\d{1,18}$/.test(toOffset)) throw invalid(`--to-offset ${toOffset} is no offset`);
    return { kind: 'offset', offset: BigInt(toOffset) };
  }
  return { kind: 'time', timeMs: parseMoment('--to-time', toTime ?? '') };
}

/**
 * Milliseconds since 1970 of RFC 3339 text with its offset, or of a number of them: without an offset the text would
 * mean another moment elsewhere.
 * @throws CliError PLACE_INVALID, exit 2
 */
export function parseMoment(option: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const timeMs = isWhole ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw invalid(`${option} ${text} is not a time such as 2026-03-01T12:00:00Z`);
  return timeMs;
}

/**
 * What it means for each partition to be set to its target, which is kept within what is still there. A partition
 * without a target stays.
 */
export function groupMoves(
  ranges: readonly AdminPartition[],
  committed: ReadonlyMap<number, bigint>,
  targets: readonly PartitionOffset[],
): GroupMove[] {
  const wanted = new Map(targets.map(({ partition, offset }) => [partition, offset]));
  return ranges.flatMap(({ partition, low, high }): GroupMove[] => {
    const target = wanted.get(partition);
    if (target === undefined) return [];
    const to = target < low ? low : target > high ? high : target;
    const from = committed.get(partition) ?? null;
    // What retention has removed does not come again, wherever the group was.
    const counted = from !== null && from < low ? low : from;
    return [{ partition, from, to, again: counted === null ? null : counted - to }];
  });
}

/** @throws CliError GROUP_NOT_EMPTY (exit 6) naming the members: a running one would go on from its own position. */
export function refuseRunningGroup(facts: GroupFacts | undefined): void {
  if (!facts || facts.members.length === 0) return;
  throw new CliError(
    'GROUP_NOT_EMPTY',
    `group ${facts.group} is ${facts.state} with ${facts.members.length} members (${facts.members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')}): stop them, and wait until the group is empty`,
    { exitCode: exitCodes.busy },
  );
}

function invalid(why: string): CliError {
  return new CliError('PLACE_INVALID', why, { exitCode: exitCodes.usage });
}
