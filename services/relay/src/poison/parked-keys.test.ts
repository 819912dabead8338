import type { ParkedEntry, ParkedState } from '@outbound/contract';
import { describe, expect, it } from 'vitest';
import type { Lsn } from '../wal/lsn.ts';
import type { SourcePosition } from '../wal/source-position.ts';
import { ParkedKeys } from './parked-keys.ts';

const place = (lsn: number): SourcePosition => ({ commitLsn: BigInt(lsn) as Lsn, index: 0 });

function entry(count: number, kind: ParkedEntry['kind'] = 'parked', isAnew?: true): ParkedEntry {
  const after: ParkedState = {
    ...{ since: '0/1:0@00000000', count, done: 0, code: 'EVENT_TYPE_UNKNOWN', type: 't' },
    ...{ firstEid: 'e1', lastEid: `e${count}`, at: '' },
  };
  return {
    ...{ kind, aggregateType: 'a', aggregateId: 'k' },
    after: count === 0 ? undefined : after,
    ...(isAnew ? { isAnew } : {}),
  };
}

/** A journal as it stands in the topic, read by a relay whose log begins at 100. */
function read(...journal: readonly (readonly [lsn: number, ParkedEntry, eid?: string])[]) {
  const parked = new ParkedKeys(100n as Lsn);
  for (const [lsn, each, eid = `e${lsn}`] of journal)
    parked.load({ position: place(lsn), eid, entry: each });
  return {
    parked,
    at: (lsn: number, eid = `e${lsn}`) => parked.standing('a', 'k', place(lsn), eid),
  };
}

describe('ParkedKeys', () => {
  it('has the state that was before the log begins', () => {
    const { parked, at } = read([10, entry(1)], [20, entry(2)]);
    expect(at(100)).toEqual({ state: entry(2).after, recorded: undefined });
    expect(parked.size).toBe(1);
    expect(parked.byCode()).toEqual(new Map([['EVENT_TYPE_UNKNOWN', 1]]));
  });

  it('meets again what was decided behind there, event by event', () => {
    const first = entry(1);
    const { parked, at } = read([110, first], [130, entry(2)]);
    expect(at(105)).toEqual({ state: undefined, recorded: undefined });
    expect(at(110).recorded).toBe(first);
    parked.apply(first, first);
    expect(at(120)).toEqual({ state: first.after, recorded: undefined });
    expect(at(130).recorded).toEqual(entry(2));
  });

  it('knows what stands twice in the journal, since it was read again after a restart, for one', () => {
    const { parked, at } = read([110, entry(1)], [130, entry(2)], [110, entry(1)]);
    const { recorded } = at(110);
    expect(recorded).toEqual(entry(1));
    parked.apply(recorded ?? entry(0), recorded);
    expect(at(130).recorded).toEqual(entry(2));
  });

  it('forgets what was recorded behind a decision that is made anew, and says so in the journal', () => {
    const { parked, at } = read([110, entry(1)], [130, entry(2)]);
    at(105);
    expect(parked.apply(entry(1), undefined)).toEqual(entry(1, 'parked', true));
    expect(at(110).recorded).toBeUndefined();
    const later = read([110, entry(1)], [130, entry(2)], [105, entry(1, 'parked', true)]);
    expect(later.at(105).recorded).toBeDefined();
    expect(later.at(130).recorded).toBeUndefined();
  });

  it('does not forget what came behind a decision that was made anew, when both are read a third time', () => {
    const { parked, at } = read([130, entry(9)], [110, entry(1, 'parked', true)], [120, entry(2)]);
    const { recorded } = at(110);
    const again = parked.apply(recorded ?? entry(0), recorded);
    const later = read(
      ...([
        [110, entry(1, 'parked', true)],
        [120, entry(2)],
        [110, again],
      ] as const),
    );
    later.at(110);
    expect(later.at(120).recorded).toEqual(entry(2));
  });

  it('believes nothing that was decided about events which this log does not have', () => {
    const other = read([110, entry(1), 'of another history'], [130, entry(2)]);
    expect(other.at(110)).toMatchObject({ state: undefined, recorded: undefined });
    expect(other.at(130).recorded).toBeUndefined();
    const gone = read([110, entry(1)]);
    expect(gone.at(120)).toMatchObject({ state: undefined, recorded: undefined });
  });

  it('says what is void, so that it is not taken for what was before when the log goes on behind it', () => {
    const phantom = [110, entry(1), 'of another history'] as const;
    const byAnEvent = read(phantom).at(115).refuted;
    const byTheLog = read(phantom).parked.passed(111n as Lsn);
    expect(byTheLog).toEqual([byAnEvent]);
    expect(read(phantom).parked.passed(110n as Lsn)).toEqual([]);
    if (!byAnEvent) expect.fail('it is not refuted');
    const { position, entry: said } = byAnEvent;

    const later = new ParkedKeys(200n as Lsn);
    later.load({ position: place(110), eid: 'of another history', entry: entry(1) });
    later.load({ position, eid: '', entry: said });
    expect(later.size).toBe(0);

    // Read again before the slot has passed it, with what was decided since.
    const again = read(phantom, [110, said, ''], [120, entry(1)]);
    expect(again.at(105)).toEqual({ state: undefined, recorded: undefined });
    expect(again.at(110)).toEqual({ state: undefined, recorded: undefined });
    expect(again.at(120).recorded).toEqual(entry(1));
    const passedOnly = read(phantom, [110, said, ''], [120, entry(1)]);
    expect(passedOnly.parked.passed(120n as Lsn)).toEqual([]);
    expect(passedOnly.at(120).recorded).toEqual(entry(1));
  });

  it('says at once that what was decided beyond the end of the log is void, and keeps what was decided before it', () => {
    const { parked, at } = read([110, entry(1)], [190, entry(2), 'of another history']);
    expect(parked.beyond(191n as Lsn)).toEqual([]);
    const said = parked.beyond(190n as Lsn);
    expect(said).toMatchObject([{ position: place(190), entry: { after: entry(1).after } }]);
    expect(at(110).recorded).toEqual(entry(1));
    expect(parked.passed(1000n as Lsn)).toEqual([]);
    const again = read(
      ...([
        [110, entry(1)],
        [190, said[0]?.entry ?? entry(9), ''],
        [120, entry(2)],
      ] as const),
    );
    expect(again.parked.beyond(150n as Lsn)).toEqual([]);
    again.at(110);
    expect(again.at(120).recorded).toEqual(entry(2));
  });

  it('takes back what a lost history has done with a parked key', () => {
    const { parked } = read([10, entry(2)], [110, entry(0, 'redriven'), 'of another history']);
    expect(parked.passed(150n as Lsn)).toMatchObject([{ entry: { after: entry(2).after } }]);
    expect(parked.size).toBe(1);
  });

  it('finds nothing void in what has come again, or was decided anew', () => {
    const { parked, at } = read([110, entry(1)], [120, entry(2)], [130, entry(3)]);
    const { recorded } = at(110);
    parked.apply(recorded ?? entry(0), recorded);
    expect(parked.passed(112n as Lsn)).toEqual([]);
    at(115);
    parked.apply(entry(2), undefined);
    expect(parked.passed(500n as Lsn)).toEqual([]);
  });

  it('takes what was written for another source as what was before', () => {
    const parked = new ParkedKeys(100n as Lsn);
    parked.load({ position: undefined, eid: 'x', entry: entry(2) });
    expect(parked.standing('a', 'k', place(150), 'e').state).toEqual(entry(2).after);
  });

  it('keeps nothing of a key that is free again', () => {
    const { parked, at } = read([10, entry(1)]);
    at(120);
    parked.apply(entry(0, 'redriven'), undefined);
    expect(parked.size).toBe(0);
    expect(parked.isFree('a', 'k')).toBe(true);
    expect([...parked.list()]).toEqual([]);
  });
});
