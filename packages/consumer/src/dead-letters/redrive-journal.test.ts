import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  journalEntryOf,
  journalRecord,
  RedriveBook,
  type JournalEntry,
  type RedriveProgress,
} from './redrive-journal.ts';

const queue = { group: 'g', topic: 't', key: 'a' };
const request = (id: string): Extract<JournalEntry, { kind: 'request' }> => ({
  kind: 'request',
  entry: {
    ...{ ...queue, id, verb: 'redrive', partition: 2, at: '2026-01-01T00:00:00.000Z' },
    from: { '0': 3n },
    through: { '0': 2n ** 60n },
  },
});
const progress = (
  id: string,
  state: RedriveProgress['state'],
  done: RedriveProgress['done'],
): Extract<JournalEntry, { kind: 'progress' }> => ({
  kind: 'progress',
  entry: { ...queue, request: id, state, done, handled: 1, discarded: 0, at: '' },
});

describe('the journal of redrives', () => {
  it('gives back what was written, offsets beyond what a double holds too', () => {
    const failure = { eid: 'e', code: 'C', message: 'm' };
    const failed = progress('1', 'failed', { '0': 2n ** 60n });
    for (const said of [request('1'), { ...failed, entry: { ...failed.entry, failure } }])
      expect(journalEntryOf(journalRecord(said, 'id'), 'id')).toEqual(said);
  });

  it('passes over what speaks of a dead-letter topic that was deleted, and what is no entry', () => {
    const record = journalRecord(request('1'), 'old');
    expect(journalEntryOf(record, 'new')).toBeUndefined();
    expect(journalEntryOf(record, undefined)).toEqual(request('1'));
    fc.assert(
      fc.property(fc.string(), fc.option(fc.json()), (key, value) => {
        const bytes = { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) };
        expect(journalEntryOf(bytes, 'id')).toBeUndefined();
      }),
    );
  });

  it('knows what is asked for until it is carried out, and only the last request', () => {
    const book = new RedriveBook();
    book.add(request('1'));
    book.add(progress('1', 'running', { '0': 3n }));
    expect(book.open().map(({ id }) => id)).toEqual(['1']);
    book.add(request('2'));
    book.add(progress('1', 'done', { '0': 4n }));
    expect(book.open().map(({ id }) => id)).toEqual(['2']);
    book.add(progress('2', 'done', { '0': 4n }));
    expect(book.open()).toEqual([]);
    expect(book.isWaiting(queue, { partition: 0, offset: 4n })).toBe(false);
    expect(book.isWaiting(queue, { partition: 0, offset: 5n })).toBe(true);
    expect(book.isWaiting(queue, { partition: 1, offset: 0n })).toBe(true);
  });

  it('does not go back when a member that lost its partition writes behind its successor, and says what to write again', () => {
    const book = new RedriveBook();
    book.add(request('1'));
    book.add(progress('1', 'done', { '0': 7n }));
    book.add(progress('1', 'running', { '0': 3n, '1': 1n }));
    expect(book.open()).toEqual([]);
    const known = progress('1', 'done', { '0': 7n, '1': 1n }).entry;
    expect(book.progress(queue)).toEqual(known);
    expect(book.wentBack()).toEqual([known]);
    book.add({ kind: 'progress', entry: known });
    expect(book.wentBack()).toEqual([]);
  });

  it.each([
    ['done', 3n, 'failed', 2n, 'done'],
    ['running', 3n, 'failed', 2n, 'running'],
    ['failed', 2n, 'running', 3n, 'running'],
    ['failed', 2n, 'running', 2n, 'failed'],
    ['failed', 2n, 'running', 1n, 'failed'],
    ['failed', 2n, 'done', 3n, 'done'],
    ['running', 2n, 'failed', 2n, 'failed'],
    ['done', 3n, 'running', 4n, 'done'],
  ] as const)(
    'takes a request that is %s up to %d, and then is said to be %s up to %d, for %s',
    (before, then, said, now, state) => {
      const book = new RedriveBook();
      book.add(request('1'));
      book.add(progress('1', before, { '0': then }));
      book.add(progress('1', said, { '0': now }));
      const done = { '0': now > then ? now : then };
      expect(book.progress(queue)).toMatchObject({ state, done });
      expect(book.open()).toHaveLength(state === 'running' ? 1 : 0);
    },
  );

  it('says where the furthest letter was, however far back the last record is', () => {
    const book = new RedriveBook();
    const at = (offset: bigint) => ({ partition: 0, offset, timestampMs: 1 });
    const said = (state: RedriveProgress['state'], done: bigint, last: bigint) => {
      const { kind, entry } = progress('1', state, { '0': done });
      return { kind, entry: { ...entry, last: at(last) } };
    };
    book.add(request('1'));
    book.add(said('failed', 7n, 9n));
    expect(journalEntryOf(journalRecord(said('failed', 7n, 9n), 'id'), 'id')).toEqual(
      said('failed', 7n, 9n),
    );
    book.add(said('running', 3n, 5n));
    expect(book.progress(queue)?.last).toEqual(at(9n));
    book.add(said('running', 3n, 12n));
    expect(book.progress(queue)?.last).toEqual(at(12n));
  });

  it('counts for a later request what an earlier one has dealt with, whoever writes last', () => {
    const book = new RedriveBook();
    book.add(request('2'));
    book.add(progress('2', 'running', { '0': 7n }));
    book.add(progress('1', 'failed', { '0': 3n }));
    expect(book.open().map(({ id }) => id)).toEqual(['2']);
    expect(book.progress(queue)).toMatchObject({ request: '2', done: { '0': 7n } });
  });
});
