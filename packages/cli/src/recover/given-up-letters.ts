import { isEventSql, letterMarkOf, parkedKeyText, type DeadLetter } from '@outbound/contract';
import { isOurs, type RecoverySession } from './backlog.ts';

/** An event whose dead letter was given up. */
export interface GivenUp {
  readonly eid: string;
  /** When: `created_at` of the row that says so. */
  readonly at: string;
}

/** A row of the outbox that gave up the letters of a parking, up to a number. */
interface Discard {
  readonly number: number;
  readonly at: string;
}

/** What was given up, by parking. */
export type Discards = ReadonlyMap<string, readonly Discard[]>;

/** Reads them. They are younger than the events of their letters, so the outbox has them as long as those. */
export async function readDiscards(session: RecoverySession): Promise<Discards> {
  const { rows } = await session.query<{
    type: string;
    id: string;
    headers: string;
    at: string;
  }>(
    `select aggregatetype as type, aggregateid as id, headers::text, created_at::text as at
     from outbox where not (${isEventSql}) order by created_at`,
  );
  const discards = new Map<string, Discard[]>();
  for (const { type, id, headers, at } of rows) {
    const mark = letterMarkOf(JSON.parse(headers) as Record<string, unknown>);
    if (mark?.kind !== 'discard') continue;
    const parking = parkingText(type, id, mark.since);
    const known = discards.get(parking);
    if (known) known.push({ number: mark.number, at });
    else discards.set(parking, [{ number: mark.number, at }]);
  }
  return discards;
}

/** What a letter says of its event, if it was given up; the last time counts. Pure. */
export function givenUpBy(
  discards: Discards,
  letter: Pick<DeadLetter, 'eid' | 'aggregateType' | 'aggregateId' | 'since' | 'number'>,
): GivenUp | undefined {
  const parking = parkingText(letter.aggregateType, letter.aggregateId, letter.since);
  const at = discards.get(parking)?.findLast(({ number }) => letter.number <= number)?.at;
  return at === undefined ? undefined : { eid: letter.eid, at };
}

function parkingText(aggregateType: string, aggregateId: string, since: string): string {
  return `${parkedKeyText(aggregateType, aggregateId)} ${since}`;
}

/**
 * Notes the events that are not to be published: written again, they would park their keys once more. One that was written again with, or after, the row
 * that gave up its letter is none of them: an earlier recovery gave the letter up for the event itself.
 */
export async function noteGivenUp(
  session: RecoverySession,
  givenUp: readonly GivenUp[],
): Promise<void> {
  const ours = givenUp.filter(({ eid }) => isOurs(eid));
  await session.query(
    `insert into recover_given_up select g.eid from unnest($1::uuid[], $2::timestamptz[]) as g (eid, at)
     where not exists (select from outbox o where o.id = g.eid and o.created_at >= g.at)`,
    [ours.map(({ eid }) => eid), ours.map(({ at }) => at)],
  );
}
