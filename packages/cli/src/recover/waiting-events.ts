import { deadLetterTopics, parkedKeyText, type OutboxRowText } from '@outbound/contract';
import { uuidv7 } from 'uuidv7';
import { discardAllRow } from '../dead-letters/letter-plan.ts';
import { writeOutboxRows } from '../dead-letters/write-rows.ts';
import {
  readWaitingKeys,
  type CountsAt,
  type LetterSource,
  type WaitingKey,
} from '../dead-letters/waiting-keys.ts';
import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import { isOurs, type AggregateKey, type Backlog, type RecoverySession } from './backlog.ts';
import { givenUpBy, type Discards, type GivenUp } from './given-up-letters.ts';

/** What the dead letters say of events that are in no topic. */
export interface LettersSeen {
  /** The parked keys with what waits in their dead letters, payloads left out. */
  readonly waiting: readonly WaitingKey[];
  readonly givenUp: readonly GivenUp[];
}

/**
 * What waits in the dead letters, and what of them was given up; nothing where a pipeline has no such topics. A letter that was published or
 * given up since does not wait, nor one of a parking that never came to be: only what the relay itself will go on from.
 * @throws CliError KAFKA_UNAVAILABLE
 */
export async function readLetters(
  source: Omit<LetterSource, 'topics' | 'admin'> & {
    readonly admin: Pick<KafkaAdmin, 'topics' | 'topicRanges'>;
  },
  { topicPrefix }: { readonly topicPrefix: string },
  discards: Discards,
  counts: CountsAt,
): Promise<LettersSeen> {
  const topics = deadLetterTopics(topicPrefix);
  const there = new Set(await source.admin.topics());
  if (!there.has(topics.deadLetters.topic) || !there.has(topics.parkedKeys.topic))
    return { waiting: [], givenUp: [] };
  const givenUp: GivenUp[] = [];
  const waiting = await readWaitingKeys(
    { ...source, topics },
    {},
    {
      withoutPayloads: true,
      counts,
      onLetter: (letter) => {
        const given = givenUpBy(discards, letter);
        if (given) givenUp.push(given);
      },
    },
  );
  return { waiting, givenUp };
}

/**
 * Which decisions of the journal the next relay goes on from, so that what waits by them is not missing. What was decided about this very source
 * beyond the end of its log is of a history that a restore has undone: the relay takes it back when it comes there, so it does not vouch for an event, and
 * the key stands as it did before. What another source has decided (a dump was restored on another server) stands before everything that is read here,
 * whatever its positions are. Pure.
 * @param fingerprint of the source that is recovered.
 * @param endLsn where its log ends; a text that is no position has nothing before it.
 */
export function ofThisLog(fingerprint: string, endLsn: string): CountsAt {
  const end = lsnNumber(endLsn);
  return (place) => {
    const [position = '', source] = place.split('@');
    if (source !== fingerprint) return true;
    const at = lsnNumber(position.split(':')[0] ?? '');
    return at !== undefined && end !== undefined && at < end;
  };
}

/** `16/B374D848` as a number; undefined if it is none. */
function lsnNumber(text: string): bigint | undefined {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/.exec(text);
  if (!match) return undefined;
  return BigInt(`0x${match[1]}`) * 2n ** 32n + BigInt(`0x${match[2]}`);
}

/**
 * Notes what waits in the dead letters: the relay, and nobody else, deals with it, in its order. Written again it would be parked once more, behind
 * itself. And of which keys a letter is missing: the journal had it, and the relay ended before its own topic did.
 */
export async function noteWaiting(
  session: RecoverySession,
  keys: readonly WaitingKey[],
): Promise<void> {
  const letters = keys
    .flatMap((key) => key.letters)
    .filter(({ eid, version }) => isOurs(eid) && /^\d{1,18}$/.test(version));
  const torn = keys.filter((key) => key.state.done + key.letters.length < key.state.count);
  if (torn.length > 0)
    await session.query('insert into recover_torn select * from unnest($1::text[], $2::text[])', [
      torn.map(({ aggregateType }) => aggregateType),
      torn.map(({ aggregateId }) => aggregateId),
    ]);
  if (letters.length === 0) return;
  await session.query(
    'insert into recover_waiting select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])',
    [
      letters.map(({ eid }) => eid),
      letters.map(({ aggregateType }) => aggregateType),
      letters.map(({ aggregateId }) => aggregateId),
      letters.map(({ version }) => version),
    ],
  );
}

/** Rows that give up the letters of keys whose events come again. */
function discardsOf(
  { overtaken }: Backlog,
  waiting: readonly WaitingKey[],
): readonly OutboxRowText[] {
  const textOf = ({ aggregateType, aggregateId }: AggregateKey) =>
    parkedKeyText(aggregateType, aggregateId);
  const taken = new Set(overtaken.map(textOf));
  return waiting.filter((key) => taken.has(textOf(key))).map((key) => discardAllRow(key, uuidv7()));
}

/**
 * Gives up the letters of keys whose events come again: rows that stand before these in the log, so that the key is free when the relay comes to them.
 * They are no missing events themselves.
 */
export async function giveUpOvertaken(
  session: RecoverySession,
  backlog: Backlog,
  waiting: readonly WaitingKey[],
): Promise<void> {
  const discards = discardsOf(backlog, waiting);
  if (discards.length === 0) return;
  await writeOutboxRows(session, discards);
  await session.query(
    'insert into recover_waiting select id, aggregatetype, aggregateid, version from outbox where id = any($1::uuid[])',
    [discards.map(({ id }) => id)],
  );
}
