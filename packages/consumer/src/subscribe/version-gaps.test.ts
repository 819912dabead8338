import { describe, expect, it } from 'vitest';
import type { ConsumedEvent } from '../events/consumed-event.ts';
import { VersionMemory } from './version-gaps.ts';

function event(
  key: string,
  version: number | undefined,
  more: Partial<Pick<ConsumedEvent, 'isReplay' | 'dataOp'>> = {},
): ConsumedEvent {
  return {
    topic: 't',
    partition: 0,
    offset: 0n,
    timestampMs: 0,
    key,
    headers: {},
    eid: 'e',
    dataType: 'test.note',
    isReplay: false,
    dataOp: 'D',
    value: undefined,
    data: undefined,
    version,
    ...more,
  };
}

describe('VersionMemory', () => {
  it('tells which version should have come', () => {
    const memory = new VersionMemory();
    expect(memory.missing(event('a', 3))).toBeUndefined();
    expect(memory.missing(event('b', 9))).toBeUndefined();
    expect(memory.missing(event('a', 4))).toBeUndefined();
    expect(memory.missing(event('a', 7))).toBe(5);
    expect(memory.missing(event('a', 8))).toBeUndefined();
  });

  it.each([
    ['a repetition', event('a', 2)],
    ['an older event that comes again', event('a', 1)],
    ['a replay, however far ahead', event('a', 9, { isReplay: true })],
    ['a snapshot', event('a', 9, { dataOp: 'S' })],
    ['an event without a version', event('a', undefined)],
  ])('takes %s for no gap', (_, repeated) => {
    const memory = new VersionMemory();
    for (const version of [1, 2]) memory.missing(event('a', version));
    expect(memory.missing(repeated)).toBeUndefined();
  });

  it('goes on from the state that a snapshot tells, and not back for a repetition', () => {
    const memory = new VersionMemory();
    memory.missing(event('a', 5, { dataOp: 'S' }));
    memory.missing(event('a', 2));
    expect(memory.missing(event('a', 6))).toBeUndefined();
    expect(memory.missing(event('a', 8))).toBe(7);
  });

  it('forgets keys that were not seen for long, and takes the next event of them for the first', () => {
    const memory = new VersionMemory(10);
    memory.missing(event('old', 1));
    for (let n = 0; n < 9; n += 1) memory.missing(event(`k${n}`, 1));
    expect(memory.missing(event('old', 3))).toBe(2);
    for (let n = 0; n < 30; n += 1) memory.missing(event(`l${n}`, 1));
    expect(memory.missing(event('old', 9))).toBeUndefined();
  });
});
