import { recordHeader } from '@outbound/contract';
import { expect, it } from 'vitest';
import { formerPlaceId, placeId, recordEid } from './place-id.ts';
import { kafkaRecord } from './test-support/kafka-record.ts';

const at = { topic: 'shop.orders', partition: 3, offset: 0n, timestampMs: 1_790_000_000_000 };

it('is another one for another record, also at the same place of a topic that was made again', () => {
  const places = [
    at,
    { ...at, topic: 'shop.order' },
    { ...at, partition: 4 },
    { ...at, offset: 1n },
    { ...at, timestampMs: 1_790_000_000_001 },
  ];
  expect(new Set(places.map(placeId)).size).toBe(places.length);
  expect(placeId({ ...at })).toBe(placeId(at));
});

it('says what the record was called before, and nothing of ids that producers made', () => {
  expect(formerPlaceId(placeId(at))).toEqual({
    eid: 'shop.orders/3/0',
    timestampMs: at.timestampMs,
  });
  expect(formerPlaceId(placeId({ ...at, timestampMs: -1 }))?.timestampMs).toBe(-1);
  for (const eid of ['0193ad5e-0000-7000-8000-000000000001', 'shop.orders/3/0', 'a@1', ''])
    expect(formerPlaceId(eid)).toBeUndefined();
});

it.each([
  ['nanoseconds', '1700000000000000000'],
  ['more digits than a number has', '99999999999999999999'],
  ['more than any number', '9'.repeat(400)],
])('says nothing of before where the time is %s: nobody noted anything after it', (_, time) => {
  expect(formerPlaceId(`a/1/2@${time}`)).toBeUndefined();
});

it('takes a time before 1970 for no time: everything that was noted came after it', () => {
  for (const time of ['-1', '-2', `-${'9'.repeat(400)}`])
    expect(formerPlaceId(`a/1/2@${time}`)).toEqual({ eid: 'a/1/2', timestampMs: -1 });
});

it('tells two ids apart that are no UTF-8, and takes one that is as it stands', () => {
  const eidOf = (...ids: (Buffer | null)[]) =>
    recordEid(kafkaRecord({ headers: ids.map((value) => ({ name: recordHeader.id, value })) }));
  const [one, other] = [Buffer.from([0x80, 0x41]), Buffer.from([0x81, 0x41])];
  expect(eidOf(one)).not.toBe(eidOf(other));
  expect(eidOf(one)).toBe(eidOf(one));
  // The last of several counts, as in `headers`.
  expect(eidOf(other, one)).toBe(eidOf(one));
  for (const text of ['e1', 'ключ', 'a\ufffd', 'a\0b']) expect(eidOf(Buffer.from(text))).toBe(text);
});
