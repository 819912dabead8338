import { describe, expect, it } from 'vitest';
import { deadLetterTopics } from './dead-letter-topics.ts';
import {
  deadLetterOf,
  discardRow,
  redriveRow,
  waitingLetters,
  type DeadLetter,
} from './dead-letter.ts';
import {
  letterMarkHeader,
  letterMarkOf,
  parkedEntryFromText,
  parkedEntryToText,
  type ParkedState,
} from './parked-state.ts';

const since = '0/10:0@00000000';
const state: ParkedState = {
  ...{ since, count: 4, done: 1, code: 'EVENT_TYPE_UNKNOWN', type: 't' },
  ...{ firstEid: 'e1', lastEid: 'e4', at: '2026-11-27T00:00:00.000Z' },
};

function letter(number: number, over: Partial<DeadLetter> = {}): DeadLetter {
  return {
    ...{ since, number, eid: `e${number}`, aggregateType: 'a', aggregateId: 'k', type: 't' },
    ...{
      version: String(number),
      dataOp: 'U',
      payload: Buffer.from('{ "n": 12345678901234567890 }'),
    },
    ...{
      leftOutBytes: undefined,
      headers: '{"flow_id":"f"}',
      reason: 'parked',
      code: 'KEY_PARKED',
    },
    ...{ message: '', at: '' },
    ...over,
  };
}

describe('the letters that wait', () => {
  it('are those of the present parking that were not dealt with, each once, in order, up to a gap', () => {
    const found = [letter(2), letter(1), letter(4), letter(2), letter(3, { since: 'before' })];
    expect(waitingLetters(state, found).map(({ number }) => number)).toEqual([2]);
    expect(waitingLetters(state, [...found, letter(3)]).map(({ number }) => number)).toEqual([
      2, 3, 4,
    ]);
  });
});

describe('a letter as a row', () => {
  it('has the event’s id, bytes and headers, and a mark by which the relay knows its turn', () => {
    const row = redriveRow(letter(2));
    expect(row).toMatchObject({ id: 'e2', payload: '{ "n": 12345678901234567890 }', version: '2' });
    const headers = JSON.parse(row?.headers ?? '') as Record<string, unknown>;
    expect(headers['flow_id']).toBe('f');
    expect(letterMarkOf(headers)).toEqual({ kind: 'redrive', since, number: 2 });
  });

  it('is none without a value, or with headers that cannot be read', () => {
    expect(redriveRow(letter(2, { payload: null }))).toBeUndefined();
    expect(redriveRow(letter(2, { headers: 'no json' }))).toBeUndefined();
  });

  it('that gives up has a mark too, and goes nowhere', () => {
    const row = discardRow(letter(2), 'new');
    expect(row).toMatchObject({ id: 'new', payload: '{}' });
    expect(letterMarkOf(JSON.parse(row.headers) as Record<string, unknown>)).toMatchObject({
      kind: 'discard',
      number: 2,
    });
  });
});

describe('the topic of dead letters', () => {
  it('gives nothing up by itself, whatever a broker’s defaults are', () => {
    expect(deadLetterTopics('').deadLetters.configs).toMatchObject({
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
      'retention.bytes': '-1',
    });
  });
});

describe('texts', () => {
  it('of marks and entries are read as they were written, and nothing else is', () => {
    for (const kind of ['redrive', 'discard'] as const)
      expect(letterMarkOf(letterMarkHeader({ kind, since, number: 7 }))).toEqual({
        ...{ kind, since, number: 7 },
      });
    expect(letterMarkOf({ outbound_redrive: '0 x' })).toBeUndefined();
    expect(letterMarkOf({ outbound_redrive: 5 })).toBeUndefined();
    const entry = { kind: 'parked', aggregateType: 'a', aggregateId: 'k', after: state } as const;
    expect(parkedEntryFromText(parkedEntryToText(entry))).toEqual(entry);
    const freed = { ...entry, kind: 'redriven', after: undefined, isAnew: true } as const;
    expect(parkedEntryFromText(parkedEntryToText(freed))).toEqual(freed);
    for (const text of [
      '',
      'null',
      '{}',
      '{"kind":"parked","aggregateType":"a","aggregateId":"k","after":{}}',
    ])
      expect(parkedEntryFromText(text)).toBeUndefined();
  });

  it('of a record that no relay wrote are no letter', () => {
    expect(deadLetterOf({}, null)).toBeUndefined();
    expect(deadLetterOf({ parked_number: '1', parked_since: since }, null)).toBeUndefined();
  });
});
