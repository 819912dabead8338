import type { ParkedEntry, ParkedState } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../errors.ts';
import { decide, type JudgedEvent } from './decide.ts';

const at = '2026-11-27T00:00:00.000Z';
const unknown = new RelayError('EVENT_TYPE_UNKNOWN', 'of a type that nobody knows', { eid: 'e' });
const state: ParkedState = {
  since: '0/10:0@00000000',
  count: 3,
  done: 0,
  code: 'EVENT_TYPE_UNKNOWN',
  type: 't',
  firstEid: 'first',
  lastEid: 'last',
  at,
};

function event(over: Partial<JudgedEvent> = {}): JudgedEvent {
  return {
    eid: 'e',
    aggregateType: 'a',
    aggregateId: 'k',
    type: 't',
    place: '0/20:0@00000000',
    mark: undefined,
    poison: undefined,
    isListed: false,
    mayPark: true,
    ...over,
  };
}

const free = { state: undefined, recorded: undefined };
const parked = (over: Partial<ParkedState> = {}) => ({
  state: { ...state, ...over },
  recorded: undefined,
});
const letter = (number: number, since = state.since) =>
  ({ kind: 'redrive', since, number }) as const;

describe('decide', () => {
  it('publishes a fit event of a free key', () => {
    expect(decide(event(), free, at)).toEqual({ way: 'publish' });
  });

  it('parks the key of an event that cannot be published, as its first letter', () => {
    expect(decide(event({ poison: unknown }), free, at)).toMatchObject({
      way: 'park',
      entry: {
        kind: 'parked',
        after: { since: '0/20:0@00000000', count: 1, done: 0, code: 'EVENT_TYPE_UNKNOWN' },
      },
    });
  });

  it('parks no free key where poison stops the relay, and goes on with those that are parked', () => {
    const stopping = (over: Partial<JudgedEvent> = {}) => event({ mayPark: false, ...over });
    expect(decide(stopping({ poison: unknown }), free, at)).toEqual({
      ...{ way: 'stop', poison: unknown },
    });
    expect(decide(stopping(), free, at).way).toBe('publish');
    expect(decide(stopping({ poison: unknown, isListed: true }), free, at).way).toBe('leave-out');
    for (const poison of [undefined, unknown])
      expect(decide(stopping({ poison }), parked(), at).way).toBe('park');
    expect(decide(stopping({ mark: letter(1) }), parked(), at).way).toBe('redrive');
    expect(decide(stopping({ mark: letter(1), poison: unknown }), parked(), at).way).toBe(
      'leave-out',
    );
  });

  it('leaves out poison that an operator has listed, and parks nothing for it', () => {
    expect(decide(event({ poison: unknown, isListed: true }), free, at)).toMatchObject({
      way: 'leave-out',
    });
  });

  it('parks whatever comes of a parked key behind it, fit or not', () => {
    for (const poison of [undefined, unknown])
      expect(decide(event({ poison }), parked(), at)).toMatchObject({
        way: 'park',
        entry: { after: { since: state.since, count: 4, lastEid: 'e', firstEid: 'first' } },
      });
  });

  it('publishes a letter that comes again if it is the next one, and frees the key with the last', () => {
    expect(decide(event({ mark: letter(1) }), parked(), at)).toMatchObject({
      way: 'redrive',
      entry: { kind: 'redriven', after: { done: 1, count: 3 } },
    });
    expect(decide(event({ mark: letter(3) }), parked({ done: 2 }), at)).toMatchObject({
      way: 'redrive',
      entry: { after: undefined },
    });
  });

  it.each([
    ['before its turn', letter(2), parked()],
    ['that was dealt with', letter(1), parked({ done: 1 })],
    ['that there is not', letter(4), parked({ done: 3 })],
    ['of another parking', letter(1, '0/5:0@00000000'), parked()],
    ['of a free key', letter(1), free],
  ])('leaves out a letter %s, and changes nothing', (_, mark, standing) => {
    const decision = decide(event({ mark }), standing, at);
    expect(decision.way).toBe('leave-out');
    expect(decision).not.toHaveProperty('entry');
  });

  it('keeps a letter that still cannot be published, and notes that', () => {
    expect(decide(event({ mark: letter(1), poison: unknown }), parked(), at)).toMatchObject({
      way: 'leave-out',
      entry: { kind: 'kept', after: state },
    });
  });

  it('gives up every letter up to the named one', () => {
    const discard = (number: number) => ({ ...letter(number), kind: 'discard' as const });
    expect(decide(event({ mark: discard(2) }), parked(), at)).toMatchObject({
      way: 'discard',
      entry: { after: { done: 2 } },
    });
    expect(decide(event({ mark: discard(3) }), parked(), at)).toMatchObject({
      way: 'discard',
      entry: { after: undefined },
    });
  });

  it('decides as it did before a restart, whatever it knows now', () => {
    const entry = (kind: ParkedEntry['kind']): ParkedEntry => ({
      kind,
      aggregateType: 'a',
      aggregateId: 'k',
      after: state,
    });
    const ways = (['parked', 'redriven', 'discarded', 'kept'] as const).map(
      (kind) => decide(event(), { state: undefined, recorded: entry(kind) }, at).way,
    );
    expect(ways).toEqual(['park', 'redrive', 'discard', 'leave-out']);
  });

  it('takes a letter back that it had let go, and that a broker refused then', () => {
    const recorded: ParkedEntry = {
      kind: 'redriven',
      aggregateType: 'a',
      aggregateId: 'k',
      after: { ...state, done: 1 },
    };
    expect(
      decide(event({ mark: letter(1), poison: unknown }), { state, recorded }, at),
    ).toMatchObject({ way: 'leave-out', entry: { kind: 'kept', after: { done: 0 } } });
  });
});
