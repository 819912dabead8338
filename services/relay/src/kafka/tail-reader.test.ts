import type { TopicDirectory } from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';
import type { KafkaLog } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { lsnFromText } from '../wal/lsn.ts';
import { sourcePositionToText } from '../wal/source-position.ts';
import type { StoredRecord } from './source-tail.ts';
import { readTails } from './tail-reader.ts';

const fingerprint = '0123abcd';
const partition = { topic: 't', partition: 0 };

const own = (offset: number, index: number): StoredRecord => ({
  offset: String(offset),
  isControlRecord: false,
  headers: {
    [recordHeader.id]: `e${index}`,
    [recordHeader.sourceLsn]: sourcePositionToText(
      { commitLsn: lsnFromText('0/10'), index },
      fingerprint,
    ),
  },
});

/** A broker that holds these records, gives two at a time, and answers every other question with nothing, or all of them. */
function quotaBroker(records: readonly StoredRecord[], isThrottled: (fetch: number) => boolean) {
  let fetches = 0;
  const warnings: unknown[] = [];
  const ask = async (name: string, request: unknown) => {
    await Promise.resolve();
    if (name === 'ListOffsets') {
      const { topics } = request as { topics: { partitions: { timestamp: number }[] }[] };
      const isLatest = topics[0]?.partitions[0]?.timestamp === -1;
      const offset = String(isLatest ? records.length : 0);
      return { responses: [{ topic: 't', partitions: [{ partition: 0, errorCode: 0, offset }] }] };
    }
    fetches += 1;
    if (isThrottled(fetches)) return { responses: [] };
    const { topics } = request as { topics: { partitions: { fetchOffset: string }[] }[] };
    const from = Number(topics[0]?.partitions[0]?.fetchOffset);
    const messages = records.slice(from, from + 2);
    return {
      responses: [{ topicName: 't', partitions: [{ partition: 0, errorCode: 0, messages }] }],
    };
  };
  const directory = { leaderOf: () => 1, cluster: { link: () => ({ ask }) } };
  const log = { warn: (fields: unknown) => warnings.push(fields) };
  return {
    warnings,
    tails: async () =>
      readTails(
        directory as unknown as TopicDirectory,
        [partition],
        fingerprint,
        log as unknown as KafkaLog,
      ),
  };
}

describe('a broker that holds us to a quota', () => {
  // The last eight offsets are 2 … 9: events 5 and 6, then a repetition from 1 that was cut short at 3.
  const records = [5, 6, 5, 6, 5, 6, 0, 1, 2, 3].map((index, offset) => own(offset, index));

  it('is asked again until it gives what comes behind', async () => {
    const { tails, warnings } = quotaBroker(records, (fetch) => fetch % 2 === 0);
    expect((await tails()).get('t/0')).toMatchObject({ eid: 'e3', position: { index: 3 } });
    expect(warnings).toEqual([]);
  });

  it('and gives nothing for too long leaves the tail unknown, and is told of', async () => {
    const { tails, warnings } = quotaBroker(records, (fetch) => fetch > 1);
    expect((await tails()).size).toBe(0);
    expect(warnings).toMatchObject([{ code: 'SINK_UNAVAILABLE', partitions: 1 }]);
  });
});
