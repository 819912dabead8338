import { afterEach, describe, expect, it } from 'vitest';
import type { Fetcher } from './fetcher.ts';
import { at, p, reading, stopAll } from './test-support/fetcher-in-memory.ts';
import { settled } from './test-support/hand-clock.ts';
import { askedFor } from './test-support/memory-log.ts';

afterEach(stopAll);

describe('a fetcher', () => {
  it('hands out what is there, in order, and what comes', async () => {
    const { log, fetcher, clock, got, answers } = reading();
    await log.partition(0).append('a', 'b');
    await log.partition(0).append('c');
    fetcher.assign([at(0, 1)]);
    await clock.advance(100);
    await log.partition(0).append('d');
    await clock.advance(100);
    expect(got).toEqual(['0:b', '0:c', '0:d']);
    expect(fetcher.position(p(0))).toBe(4n);
    expect(answers[0]).toMatchObject({
      from: 1n,
      next: 3n,
      highWatermark: 3n,
      lastStableOffset: 3n,
    });
    expect(log.looks).toBe(1);
  });

  it('has one fetch out for each leader, over all that it leads', async () => {
    const { log, fetcher, clock } = reading({ partitions: 3 });
    log.partition(2).leader = 2;
    fetcher.assign([at(0, 0), at(1, 0)]);
    fetcher.assign([at(2, 0)]);
    await clock.advance(400);
    expect(log.asked.map((each) => [each.nodeId, askedFor(each)])).toEqual([
      [1, ['t/0@0', 't/1@0']],
      [2, ['t/2@0']],
    ]);
    await clock.advance(200);
    expect(log.asked.length).toBe(4);
  });

  it('never takes an answer that an earlier life asked for', async () => {
    const { log, fetcher, clock, got } = reading();
    await log.partition(0).append('a', 'b');
    log.heldNodes.add(1);
    fetcher.assign([at(0, 0)]);
    await clock.advance(50);
    expect(log.asked.length).toBe(1);
    // The same position: still another life.
    fetcher.assign([at(0, 0)]);
    log.letGo(1);
    await settled();
    await clock.advance(50);
    expect(log.asked.length).toBeGreaterThan(1);
    expect(got).toEqual(['0:a', '0:b']);
  });

  it('takes nothing of what was revoked while a fetch was out', async () => {
    const { log, fetcher, clock, got } = reading({ partitions: 2 });
    await log.partition(0).append('a');
    await log.partition(1).append('b');
    log.heldNodes.add(1);
    fetcher.assign([at(0, 0), at(1, 0)]);
    await clock.advance(50);
    fetcher.revoke([p(0)]);
    log.letGo(1);
    await clock.advance(50);
    expect(got).toEqual(['1:b']);
    expect(fetcher.position(p(0))).toBeUndefined();
  });

  it('goes on where it was sought to while a fetch was out', async () => {
    const { log, fetcher, clock, got } = reading();
    await log.partition(0).append('a', 'b', 'c');
    log.heldNodes.add(1);
    fetcher.assign([at(0, 0)]);
    await clock.advance(50);
    fetcher.seek(at(0, 2));
    log.letGo(1);
    await clock.advance(50);
    expect(got).toEqual(['0:c']);
  });

  it('skips nothing of what was paused while a fetch was out', async () => {
    const { log, fetcher, clock, got } = reading();
    await log.partition(0).append('a');
    log.heldNodes.add(1);
    fetcher.assign([at(0, 0)]);
    await clock.advance(50);
    fetcher.pause([p(0)]);
    log.letGo(1);
    await clock.advance(1000);
    expect(got).toEqual([]);
    const before = log.asked.length;
    fetcher.seek(at(0, 0));
    await clock.advance(1000);
    expect(log.asked.length).toBe(before);
    fetcher.resume([p(0)]);
    await clock.advance(10);
    expect(got).toEqual(['0:a']);
  });

  it('does not let a partition wait behind idle ones when it is resumed', async () => {
    const { log, fetcher, clock, got } = reading({ partitions: 2 });
    fetcher.assign([at(0, 0), at(1, 0)]);
    await clock.advance(600);
    fetcher.pause([p(0)]);
    await log.partition(0).append('a');
    await clock.advance(600);
    fetcher.resume([p(0)]);
    await clock.advance(60);
    expect(got).toEqual(['0:a']);
  });

  it('lets the owner pause within the call, before more is asked for', async () => {
    const holder: { fetcher?: Fetcher } = {};
    const got: number[] = [];
    const { log, fetcher, clock } = reading({
      onRecords: ({ records }) => {
        got.push(records.length);
        holder.fetcher?.pause([p(0)]);
      },
      limits: { maxBytesPerPartition: 1 },
    });
    holder.fetcher = fetcher;
    await log.partition(0).append('a');
    await log.partition(0).append('b');
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    expect(got).toEqual([1]);
    fetcher.resume([p(0)]);
    await clock.advance(100);
    expect(got).toEqual([1, 1]);
  });

  it('gives a batch that is larger than all limits, and then the others', async () => {
    const { log, fetcher, clock, got } = reading({
      partitions: 3,
      limits: { maxBytes: 200, maxBytesPerPartition: 100 },
    });
    const big = 'x'.repeat(5000);
    await log.partition(0).append('a');
    await log.partition(1).append(big);
    await log.partition(1).append('b');
    await log.partition(2).append('c');
    fetcher.assign([at(0, 0), at(1, 0), at(2, 0)]);
    await clock.advance(300);
    expect(got.toSorted()).toEqual(['0:a', '1:b', `1:${big}`, '2:c'].toSorted());
  });

  it('ends at once, whatever is out, and hands out nothing more', async () => {
    const { log, fetcher, clock, got, stop, run } = reading();
    log.heldNodes.add(1);
    await log.partition(0).append('a');
    fetcher.assign([at(0, 0)]);
    await clock.advance(50);
    stop.abort();
    await run;
    log.letGo(1);
    await settled();
    expect(got).toEqual([]);
  });

  it("ends with what one of the owner's functions throws", async () => {
    const { log, fetcher, clock, run } = reading({
      onRecords: () => {
        throw new Error('the owner is broken');
      },
    });
    await log.partition(0).append('a');
    fetcher.assign([at(0, 0)]);
    await clock.advance(1000);
    await expect(run).rejects.toThrow('the owner is broken');
  });
});
