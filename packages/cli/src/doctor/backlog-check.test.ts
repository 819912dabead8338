import { describe, expect, it } from 'vitest';
import { judgeBacklog, readBacklog } from './backlog-check.ts';

const hour = 3_600_000;
const day = 24 * hour;
const nowMs = 100 * day;

/** A topic kept for seven days with one record of each of these ages, and an outbox with one event of each of those. */
function world(publishedMs: readonly number[], eventsMs: readonly number[], policy = 'delete') {
  return readBacklog(
    {
      topicConfig: () =>
        Promise.resolve(
          new Map([
            ['cleanup.policy', policy],
            ['retention.ms', String(7 * day)],
          ]),
        ),
      topicRanges: () =>
        Promise.resolve([
          {
            partition: 0,
            low: 0n,
            high: BigInt(publishedMs.length),
            leader: 1,
            replicas: [1],
          },
        ]),
      offsetsAt: (_, timeMs) => {
        const before = publishedMs.filter((ageMs) => nowMs - ageMs < timeMs).length;
        return Promise.resolve([{ partition: 0, offset: BigInt(before) }]);
      },
    },
    {
      query: ((_: string, [sinceMs]: [number]) => {
        const times = eventsMs.map((ageMs) => nowMs - ageMs).filter((at) => at >= sinceMs);
        const oldest = times.length === 0 ? null : Math.min(...times);
        return Promise.resolve({ rows: [{ oldest_ms: oldest }] });
      }) as never,
    },
    { topic: 't', eventTypes: ['e'], nowMs },
  );
}

describe('the backlog against the retention', () => {
  it.each<[string, number[], number[], number | undefined]>([
    ['all of it published', [5 * day, hour], [5 * day, hour], undefined],
    ['quiet for long, nothing to publish', [5 * day], [5 * day], undefined],
    ['an outage of an hour after quiet days', [5 * day], [5 * day, hour], hour],
    ['an outage of four days', [4.5 * day], [4.5 * day, 4 * day, hour], 4 * day],
    ['nothing was ever published', [], [6 * day, hour], 6 * day],
  ])('finds the oldest event that is not there yet: %s', async (_, published, events, oldestMs) => {
    expect(await world(published, events)).toEqual({ topic: 't', retentionMs: 7 * day, oldestMs });
  });

  it('is no question of a compacted topic', async () => {
    expect(await world([], [6 * day], 'compact')).toBeUndefined();
  });

  it('is a warning with a cure from half of the retention on', () => {
    const levels = [undefined, hour, 3 * day, 4 * day, 8 * day].map(
      (oldestMs) => judgeBacklog([{ topic: 't', retentionMs: 7 * day, oldestMs }])[0],
    );
    expect(levels.map((finding) => finding?.level)).toEqual([
      ...['ok', 'ok', 'ok', 'warning', 'warning'],
    ]);
    expect(levels[3]?.says).toContain('an event of 4.0 days ago, and the topic keeps 7.0 days');
    expect(levels[3]?.fix).toContain('retention.ms of t');
  });
});
