import { describe, expect, it } from 'vitest';
import type { TopicFacts } from '../ports/topic-facts.ts';
import { TopicView } from './topic-view.ts';

const facts = (topicId: string | undefined, count: number, errorCode = 0): TopicFacts => ({
  topic: 't',
  topicId,
  errorCode,
  partitions: Array.from({ length: count }, (_, partition) => ({
    partition,
    leader: 1,
    leaderEpoch: 0,
    replicas: [1],
  })),
});
const missing = facts(undefined, 0, 3);

describe('what a member knows of its topics', () => {
  it('begins without a change, and grows', () => {
    const view = new TopicView();
    expect(view.learn([facts('a', 3)], 0)).toEqual([]);
    expect(view.learn([facts('a', 3)], 1)).toEqual([]);
    expect(view.learn([facts('a', 5)], 2)).toEqual([
      { topic: 't', what: 'grown', before: 3, after: 5 },
    ]);
    // A broker that lags behind.
    expect(view.learn([facts('a', 3)], 3)).toEqual([]);
    expect(view.now('t')).toMatchObject({ topicId: 'a', partitionCount: 5 });
  });

  it('takes a topic for gone only when it stays away, and tells it once', () => {
    const view = new TopicView();
    view.learn([facts('a', 3)], 0);
    expect(view.learn([missing], 1000)).toEqual([]);
    expect(view.now('t')).toMatchObject({ partitionCount: 3 });
    expect(view.learn([facts('a', 3)], 4000)).toEqual([]);
    expect(view.learn([missing], 5000)).toEqual([]);
    expect(view.learn([facts(undefined, 0, 5)], 8000)).toEqual([]);
    expect(view.learn([missing], 10_000)).toMatchObject([{ what: 'gone' }]);
    expect(view.now('t')).toBeUndefined();
    expect(view.learn([missing], 20_000)).toEqual([]);
    expect(view.learn([facts('a', 3)], 21_000)).toMatchObject([{ what: 'grown' }]);
  });

  it('waits for a topic that is not there yet', () => {
    const view = new TopicView();
    expect(view.learn([missing], 0)).toEqual([]);
    expect(view.now('t')).toBeUndefined();
    expect(view.learn([facts('a', 2)], 1)).toMatchObject([{ what: 'grown', before: 0, after: 2 }]);
    expect(view.wasMadeAgain('t')).toBe(false);
  });

  it('sees another topic of the same name by its id, and never believes the old one again', () => {
    const view = new TopicView();
    view.learn([facts('a', 3)], 0);
    expect(view.learn([facts('b', 3)], 1)).toMatchObject([{ what: 'made-again' }]);
    expect(view.wasMadeAgain('t')).toBe(true);
    expect(view.learn([facts('a', 3)], 2)).toEqual([]);
    expect(view.now('t')).toMatchObject({ topicId: 'b' });
  });

  it('sees it by fewer partitions where brokers have no ids', () => {
    const view = new TopicView();
    view.learn([facts(undefined, 3)], 0);
    expect(view.learn([facts(undefined, 2)], 1)).toMatchObject([{ what: 'made-again' }]);
    expect(view.now('t')).toMatchObject({ partitionCount: 2 });
  });
});
