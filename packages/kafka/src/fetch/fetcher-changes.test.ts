import { afterEach, describe, expect, it } from 'vitest';
import { at, p, reading, stopAll } from './test-support/fetcher-in-memory.ts';
import { MemoryPartition } from './test-support/memory-log.ts';

afterEach(stopAll);

describe('a fetcher whose leaders move', () => {
  it.each([6, 74, 75, 78, 56, 9, 3, 5])(
    'asks again within a second after code %i',
    async (code) => {
      const { log, fetcher, clock, got, waiting } = reading({ partitions: 2 });
      fetcher.assign([at(0, 0), at(1, 0)]);
      await clock.advance(700);
      log.partition(0).codes.push(code);
      await log.partition(1).append('other');
      await clock.advance(10);
      Object.assign(log.partition(0), { leader: 2, leaderEpoch: 1 });
      await log.partition(0).append('a');
      await clock.advance(1000);
      expect(got).toEqual(['1:other', '0:a']);
      expect(waiting.length).toBeGreaterThan(0);
    },
  );

  it('goes on within a second after the metadata has settled, however often it was wrong', async () => {
    const { log, fetcher, clock, got } = reading({ random: () => 0.5 });
    fetcher.assign([at(0, 0)]);
    await clock.advance(600);
    log.stale = [{ leader: 1, leaderEpoch: 0 }];
    Object.assign(log.partition(0), { leader: 2, leaderEpoch: 1 });
    await log.partition(0).append('a');
    await clock.advance(20_000);
    expect(got).toEqual([]);
    // Not a busy loop: at most some questions a second.
    expect(log.looks).toBeLessThan(100);
    log.stale = undefined;
    await clock.advance(1000);
    expect(got).toEqual(['0:a']);
  });

  it('does not wait for a leader that hangs, once another one leads, and never takes its late answer', async () => {
    const { log, fetcher, clock, got } = reading();
    log.heldNodes.add(1);
    await log.partition(0).append('a');
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    expect(got).toEqual([]);
    Object.assign(log.partition(0), { leader: 2, leaderEpoch: 1 });
    await clock.advance(2500);
    expect(got).toEqual(['0:a']);
    log.letGo(1);
    await clock.advance(1000);
    expect(got).toEqual(['0:a']);
  });

  it('leaves a follower that answers and gets nothing itself', async () => {
    const { log, fetcher, clock, got } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.partition(0).followers = [1];
    Object.assign(log.partition(0), { leader: 2, leaderEpoch: 1, highWatermark: 0 });
    await clock.advance(11_000);
    expect(log.asked.at(-1)?.nodeId).toBe(2);
    log.partition(0).highWatermark = undefined;
    await log.partition(0).append('a');
    await clock.advance(100);
    expect(got).toEqual(['0:a']);
  });

  it('does not believe older news', async () => {
    const { log, fetcher, clock, got } = reading();
    Object.assign(log.partition(0), { leader: 2, leaderEpoch: 5 });
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.stale = [{ leader: 1, leaderEpoch: 4 }];
    await clock.advance(30_000);
    await log.partition(0).append('a');
    await clock.advance(100);
    expect(got).toEqual(['0:a']);
    expect(new Set(log.asked.map(({ nodeId }) => nodeId))).toEqual(new Set([2]));
  });

  it('tries a broker that is away again, and reads the others meanwhile', async () => {
    const { log, fetcher, clock, got } = reading({ partitions: 2 });
    log.partition(1).leader = 2;
    log.deadNodes.add(2);
    await log.partition(0).append('a');
    await log.partition(1).append('b');
    fetcher.assign([at(0, 0), at(1, 0)]);
    await clock.advance(10_000);
    expect(got).toEqual(['0:a']);
    log.deadNodes.clear();
    await clock.advance(1000);
    expect(got).toEqual(['0:a', '1:b']);
  });

  it('stands still on a verdict, and says what is to be done', async () => {
    const { log, fetcher, clock, failed } = reading();
    log.partition(0).codes.push(29);
    fetcher.assign([at(0, 0)]);
    await clock.advance(5000);
    expect(failed).toMatchObject([
      { code: 'KAFKA_FORBIDDEN', message: expect.stringContaining('t/0') as string },
    ]);
    expect(log.asked.length).toBe(1);
  });
});

describe('a fetcher that a quota holds back', () => {
  it('waits as long as the broker wants, takes it for no trouble, and reads on', async () => {
    const { log, fetcher, clock, got, waiting, failed } = reading();
    await log.partition(0).append('a');
    log.throttles = [10_000, 3000];
    fetcher.assign([at(0, 0)]);
    await clock.advance(12_900);
    expect(got).toEqual([]);
    expect(log.asked.length).toBe(3);
    await clock.advance(200);
    expect(got).toEqual(['0:a']);
    expect([...waiting, ...failed]).toEqual([]);
  });

  it('says so when nothing at all has come for half a minute, for it may never come', async () => {
    const { log, fetcher, clock, waiting } = reading();
    await log.partition(0).append('a');
    log.throttles = [10_000, 10_000, 10_000, 10_000];
    fetcher.assign([at(0, 0)]);
    await clock.advance(29_900);
    expect(waiting).toEqual([]);
    await clock.advance(200);
    expect(waiting).toEqual([expect.stringContaining('a quota of broker 1 has held everything')]);
  });

  it('reads what moves to another leader meanwhile from there', async () => {
    const { log, fetcher, clock, got } = reading();
    await log.partition(0).append('a');
    log.throttles = [60_000];
    fetcher.assign([at(0, 0)]);
    await clock.advance(5000);
    Object.assign(log.partition(0), { leader: 2, leaderEpoch: 1 });
    await clock.advance(2500);
    expect(got).toEqual(['0:a']);
    expect(log.asked.at(-1)?.nodeId).toBe(2);
  });
});

describe('a fetcher whose position is not there', () => {
  it('tells the owner at once where retention was faster, and goes on where it decides', async () => {
    const { log, fetcher, clock, got, ranges } = reading();
    await log.partition(0).append('a');
    await log.partition(0).append('b', 'c');
    log.partition(0).logStart = 1;
    fetcher.assign([at(0, 0)]);
    await clock.advance(200);
    expect(ranges).toEqual([{ position: 0n, logStart: 1n, end: 3n }]);
    await clock.advance(5000);
    expect(ranges.length).toBe(1);
    fetcher.seek(at(0, 1));
    await clock.advance(100);
    expect(got).toEqual(['0:b', '0:c']);
  });

  it('tells of a lost end only after having asked for a while', async () => {
    const { log, fetcher, clock, ranges } = reading();
    await log.partition(0).append('a');
    fetcher.assign([at(0, 3)]);
    await clock.advance(4000);
    expect(ranges).toEqual([]);
    await clock.advance(3000);
    expect(ranges).toEqual([{ position: 3n, logStart: 0n, end: 1n }]);
  });

  it('goes on by itself when a new leader only did not know yet how far the log goes', async () => {
    const { log, fetcher, clock, got, ranges } = reading();
    await log.partition(0).append('a', 'b');
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.partition(0).codes.push(1, 1, 1);
    Object.assign(log.partition(0), { highWatermark: 1 });
    await clock.advance(2000);
    log.partition(0).highWatermark = undefined;
    await log.partition(0).append('c');
    await clock.advance(1000);
    expect(ranges).toEqual([]);
    expect(got).toEqual(['0:a', '0:b', '0:c']);
  });
});

describe('a fetcher whose topic changes', () => {
  it('tells of partitions that were added before it looked for the first time', async () => {
    const { fetcher, clock, changes } = reading({ partitions: 2 });
    fetcher.assign([{ ...at(0, 0), partitions: 1 }]);
    await clock.advance(1000);
    expect(changes).toEqual([{ kind: 'grown', before: 1, partitions: 2 }]);
  });

  it('tells of added partitions, which the owner may assign at once', async () => {
    const { log, fetcher, clock, got, changes } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.partitions.push(new MemoryPartition());
    await log.partition(1).append('new');
    await clock.advance(11_000);
    expect(changes).toEqual([{ kind: 'grown', before: 1, partitions: 2 }]);
    fetcher.assign([at(1, 0)]);
    await clock.advance(600);
    expect(got).toEqual(['1:new']);
  });

  it('stands still when the topic was made again, before it asks the new one', async () => {
    const { log, fetcher, clock, got, changes } = reading();
    await log.partition(0).append('old');
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.topicId = 'id-2';
    log.partition(0).codes.push(3);
    log.partitions[0]?.batches.splice(0);
    await log.partition(0).append('new', 'new too');
    await clock.advance(3000);
    expect(changes).toEqual([{ kind: 'made-again', topicId: 'id-2' }]);
    expect(got).toEqual(['0:old']);
  });

  it('gives nothing of the new topic when it was made again while the partition was held back', async () => {
    const { log, fetcher, clock, got, changes } = reading();
    await log.partition(0).append('old', 'old too');
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    fetcher.pause([p(0)]);
    await clock.advance(1000);
    log.topicId = 'id-2';
    log.partitions = [new MemoryPartition()];
    await log.partition(0).append('new', 'new too', 'passed over', 'the same');
    fetcher.resume([p(0)]);
    await clock.advance(2000);
    expect(got).toEqual(['0:old', '0:old too']);
    expect(changes).toEqual([{ kind: 'made-again', topicId: 'id-2' }]);
  });

  it('knows by the id that it was given with the position that the topic is another', async () => {
    const { log, fetcher, clock, got, changes } = reading();
    await log.partition(0).append('new');
    fetcher.assign([{ ...at(0, 0), topicId: 'id-0' }]);
    await clock.advance(100);
    expect(changes).toEqual([{ kind: 'made-again', topicId: 'id-1' }]);
    expect(got).toEqual([]);
  });

  it('lets none of the old records into the new topic while a broker that is behind tells of the old one', async () => {
    const { log, fetcher, clock, got } = reading();
    log.topicId = 'id-2';
    fetcher.assign([{ ...at(0, 0), topicId: 'id-2' }]);
    await clock.advance(100);
    log.topicId = 'id-1';
    await clock.advance(11_000);
    fetcher.assign([{ ...at(0, 0), topicId: 'id-2' }]);
    await log.partition(0).append('old');
    await clock.advance(5000);
    expect(got).toEqual([]);
    log.partition(0).batches.splice(0);
    log.topicId = 'id-2';
    await log.partition(0).append('new');
    await clock.advance(11_000);
    expect(got).toEqual(['0:new']);
  });

  it('goes on in the topic of its position when a broker told of another one in between', async () => {
    const { log, fetcher, clock, got } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.topicId = 'id-0';
    await clock.advance(11_000);
    log.topicId = 'id-1';
    await log.partition(0).append('a');
    await clock.advance(11_000);
    expect(got).toEqual(['0:a']);
  });

  it('looks at once, and not more than twice a second, while its name is said to be of another topic', async () => {
    const { log, fetcher, clock, got } = reading({ random: () => 1 });
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.topicId = 'id-2';
    fetcher.assign([{ ...at(0, 0), topicId: 'id-2' }]);
    await log.partition(0).append('a');
    await clock.advance(600);
    expect(got).toEqual(['0:a']);
    log.topicId = 'id-1';
    await clock.advance(20_000);
    const before = log.looks;
    await clock.advance(10_000);
    expect(log.looks - before).toBeGreaterThan(15);
    expect(log.looks - before).toBeLessThan(25);
    log.topicId = 'id-2';
    await log.partition(0).append('b');
    await clock.advance(600);
    expect(got).toEqual(['0:a', '0:b']);
  });

  it('stands still after a seek, too, until it is assigned in the new topic', async () => {
    const { log, fetcher, clock, got } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.topicId = 'id-2';
    await clock.advance(11_000);
    await log.partition(0).append('new');
    fetcher.seek(at(0, 0));
    await clock.advance(11_000);
    expect(got).toEqual([]);
    fetcher.assign([{ ...at(0, 0), topicId: 'id-2' }]);
    await clock.advance(600);
    expect(got).toEqual(['0:new']);
  });

  it('takes fewer partitions for another topic where brokers give no ids', async () => {
    const { log, fetcher, clock, changes } = reading({ partitions: 2 });
    log.topicId = undefined;
    fetcher.assign([at(0, 0)]);
    await clock.advance(100);
    log.partitions.pop();
    await clock.advance(11_000);
    expect(changes).toEqual([{ kind: 'made-again', topicId: undefined }]);
  });

  it('tells once that a topic is gone, and not at the first broker that has not heard of it', async () => {
    const { log, fetcher, clock, changes } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(600);
    log.topicCode = 3;
    log.partition(0).codes.push(3);
    await clock.advance(4000);
    expect(changes).toEqual([]);
    await clock.advance(10_000);
    expect(changes).toEqual([{ kind: 'gone' }]);
  });

  it('tells that a topic which was gone is there again, also while its partition is held back', async () => {
    const { log, fetcher, clock, changes } = reading();
    fetcher.assign([at(0, 0)]);
    await clock.advance(600);
    fetcher.pause([p(0)]);
    log.topicCode = 3;
    await clock.advance(25_000);
    expect(changes).toEqual([{ kind: 'gone' }]);
    log.topicCode = 0;
    await clock.advance(25_000);
    expect(changes).toEqual([{ kind: 'gone' }, { kind: 'back' }]);
  });
});
