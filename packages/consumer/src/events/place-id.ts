import { keyText, type KafkaRecord } from '@outbound/kafka';
import { recordHeader } from '@outbound/contract';

type Place = Pick<KafkaRecord, 'topic' | 'partition' | 'offset' | 'timestampMs'>;

/**
 * Event id of a record that carries none: its place and its time, `topic/partition/offset@timestampMs`. The place alone comes again when the
 * topic is made again, with another event in it. The time, and not the topic's id: it is part of the record, so every reader knows it, on
 * brokers that know no ids too, and a topic that is copied back, times included, keeps its events' ids.
 */
export function placeId({ topic, partition, offset, timestampMs }: Place): string {
  return `${topic}/${partition}/${offset}@${timestampMs}`;
}

/**
 * The event id that a record has without a look into its value: what its header says, or its place. An empty id is none: a producer that
 * fills the header with nothing would give all its records the same one. One that is no UTF-8 is told as `keyText` tells a key: as text it would
 * be the same as others.
 */
export function recordEid(record: Place & Pick<KafkaRecord, 'headers' | 'headerList'>): string {
  const said = record.headers[recordHeader.id];
  if (said === undefined || said === '') return placeId(record);
  if (!said.includes('\ufffd')) return said;
  const bytes = record.headerList().findLast(({ name }) => name === recordHeader.id)?.value;
  return bytes ? keyText(bytes) : said;
}

/** The furthest time that a `Date` can hold. Source: ECMA-262, "Time Values and Time Range". Postgres goes further. */
const latestMs = 8.64e15;

/**
 * The id without a time that the same record had in earlier releases, and that time; undefined if `eid` is no `placeId`, or has a time
 * that comes in no calendar (a producer that counts in nanoseconds). Whatever was noted under the old id before this time is of another
 * record, which had the place in a topic of before; so after a time without end there is nothing, and all is after one before 1970.
 */
export function formerPlaceId(
  eid: string,
): { readonly eid: string; readonly timestampMs: number } | undefined {
  const [, former, time] = /^(.+\/\d+\/\d+)@(-?\d+)$/s.exec(eid) ?? [];
  const timestampMs = Math.max(-1, Number(time));
  if (former === undefined || !(timestampMs <= latestMs)) return undefined;
  return { eid: former, timestampMs };
}
