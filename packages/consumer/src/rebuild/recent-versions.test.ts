import { describe, expect, it } from 'vitest';
import type { StateEntry } from '../stores/state-store.ts';
import { RecentVersions as Versions } from './recent-versions.ts';

class RecentVersions extends Versions {
  latest(entries: readonly StateEntry[]): StateEntry[] {
    return [
      ...new Map(
        entries.filter((each) => this.isNews(each)).map((each) => [each.key, each]),
      ).values(),
    ];
  }
}
const place = { partition: 0, offset: 0n };

const value = (key: string, version: number | undefined): StateEntry => ({
  key,
  version,
  value: Buffer.from('{}'),
  ...place,
});
const tombstone = (key: string, version?: number): StateEntry => ({
  key,
  version,
  value: undefined,
  ...place,
});

describe('recent versions', () => {
  it('leave the last entry of each key', () => {
    const entries = [value('a', 1), value('b', 1), value('a', 2)];
    expect(new RecentVersions().latest(entries)).toEqual([value('a', 2), value('b', 1)]);
  });

  it('leave an older version out, in the same batch and in a later one', () => {
    const recent = new RecentVersions();
    expect(recent.latest([value('a', 3), value('a', 2)])).toEqual([value('a', 3)]);
    expect(recent.latest([value('a', 1)])).toEqual([]);
  });

  it('do not bring a deleted key back when what was before its deletion comes once more', () => {
    const recent = new RecentVersions();
    recent.latest([value('a', 2), value('a', 3)]);
    expect(recent.latest([tombstone('a')])).toEqual([tombstone('a')]);
    expect(recent.latest([value('a', 2), value('a', 3)])).toEqual([]);
    expect(recent.latest([tombstone('a')])).toEqual([tombstone('a')]);
  });

  it('let a key live again with a version above that of its deletion', () => {
    const recent = new RecentVersions();
    recent.latest([value('a', 3), tombstone('a', 4)]);
    expect(recent.latest([value('a', 4)])).toEqual([]);
    expect(recent.latest([value('a', 5)])).toEqual([value('a', 5)]);
  });

  it('let the same version through again: a repaired state comes as an S event with it', () => {
    const recent = new RecentVersions();
    recent.latest([value('a', 3)]);
    expect(recent.latest([value('a', 3)])).toEqual([value('a', 3)]);
  });

  it('go by the order of the topic where no version is said', () => {
    const recent = new RecentVersions();
    expect(recent.latest([value('a', undefined), tombstone('a'), value('a', undefined)])).toEqual([
      value('a', undefined),
    ]);
  });

  it('forget a value without a version nothing, and go on by the order of the topic', () => {
    const recent = new RecentVersions();
    recent.latest([value('a', 5), value('a', undefined)]);
    expect(recent.latest([value('a', 1)])).toEqual([value('a', 1)]);
  });

  it('forget what was seen longest ago beyond their bound, and nothing within it', () => {
    const recent = new RecentVersions(2);
    recent.latest([value('a', 9), value('b', 9), value('a', 9), value('c', 9)]);
    expect(recent.latest([value('a', 1), value('c', 1)])).toEqual([]);
    recent.latest([value('d', 9), value('e', 9), value('f', 9)]);
    expect(recent.latest([value('a', 1), value('f', 1)])).toEqual([value('a', 1)]);
  });
});
