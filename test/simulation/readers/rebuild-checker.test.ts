import { describe, expect, it } from 'vitest';
import { Chance } from '../chance.ts';
import { Scheduler } from '../scheduler.ts';
import { RebuildChecker } from './rebuild-checker.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import type { LoggedEvent } from './simulated-log.ts';
import { emptyDisk, type StoreDisk } from './simulated-store.ts';

const at = { leaderEpoch: 0, timestampMs: 0 };

function event(eid: string): LoggedEvent {
  const [key = '', version = ''] = eid.split(':');
  return {
    eid,
    key,
    version: Number(version),
    isTombstone: version.endsWith('0'),
    bytes: { key: Buffer.from(key), value: null, headers: [] },
  };
}

/** A topic of one partition with these events, and a store that has some of them; a version that ends with 0 is a deletion. */
function told({
  events,
  stored,
  end = events.length,
  isOpen = false,
  removedBefore = 0,
}: {
  readonly events: readonly string[];
  readonly stored: readonly string[];
  readonly end?: number;
  readonly isOpen?: boolean;
  readonly removedBefore?: number;
}): readonly string[] {
  const cluster = new SimulatedCluster(new Scheduler(), new Chance('checker'), () => undefined);
  const topic = cluster.create('t', 1, true);
  const [partition] = topic.partitions;
  if (!partition) throw new Error('no partition');
  for (const eid of events)
    partition.log.append([event(eid)], at, isOpen ? { id: 5, isTransactional: true } : undefined);
  partition.committedTo = partition.log.highWatermark = partition.log.endOffset;
  partition.log.removeBefore(removedBefore);
  const checker = new RebuildChecker(cluster, 't');
  checker.began();
  const disk: StoreDisk = emptyDisk();
  for (const eid of stored) {
    const { key, version } = event(eid);
    disk.states.set(key, { key, version, eid });
  }
  checker.toldCaughtUp(disk, [
    { topic: 't', partition: 0, topicId: topic.id, low: 0n, high: BigInt(end) },
  ]);
  return checker.failures;
}

describe('the checker of rebuilds', () => {
  it('is content with the last states, and with deletions', () => {
    expect(told({ events: ['x:1', 'y:1', 'x:2', 'y:10'], stored: ['x:2'] })).toEqual([]);
  });

  it('is content with a store that has, or has not, what retention removed', () => {
    const events = ['x:1', 'y:1', 'x:2'];
    expect(told({ events, stored: ['x:2'], removedBefore: 2 })).toEqual([]);
    expect(told({ events, stored: [], removedBefore: 3 })).toEqual([]);
    expect(told({ events, stored: ['x:2', 'y:1'], removedBefore: 3 })).toEqual([]);
  });

  it.each([
    ['a state that is missing', { events: ['x:1', 'y:1'], stored: ['x:1'] }, 'y at nothing'],
    ['an older state', { events: ['x:1', 'x:2'], stored: ['x:1'] }, 'x at x:1'],
    ['a deletion that was missed', { events: ['x:1', 'x:10'], stored: ['x:1'] }, 'its deletion'],
    [
      'a deletion that was removed before it was read',
      { events: ['x:1', 'x:10'], stored: ['x:1'], removedBefore: 2 },
      'its deletion',
    ],
    [
      'a state that was removed before it was read',
      { events: ['x:1', 'x:2'], stored: ['x:1'], removedBefore: 2 },
      'x at x:1',
    ],
    ['a state of another topic', { events: ['x:1'], stored: ['x:1', 'z:1'] }, 'of another topic'],
    ['an end that is none', { events: ['x:1', 'y:1'], stored: ['x:1'], end: 1 }, 'caught up at 1'],
    ['an open transaction', { events: ['x:1'], stored: [], isOpen: true }, 'open transaction'],
  ])('finds %s', (_, story, sentence) => {
    expect(told(story).join('\n')).toContain(sentence);
  });
});
