import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.ts';

const at = (...offsets: bigint[]) =>
  offsets.map((offset) => ({ offset, timestampMs: Number(offset) * 10 }));

describe('OffsetTracker', () => {
  it('says nothing before anything was added', () => {
    expect(new OffsetTracker().position).toBeUndefined();
  });

  it('goes past the gap at the end of a fetch only when all before it is finished', () => {
    const tracker = new OffsetTracker();
    tracker.add(at(3n, 7n), 12n);
    expect(tracker.oldestMs).toBe(30);
    tracker.finish(7n);
    expect(tracker.position).toBe(3n);
    tracker.finish(3n);
    expect(tracker.position).toBe(12n);
    expect(tracker.oldestMs).toBeUndefined();
  });

  it('refuses offsets that go back', () => {
    const tracker = new OffsetTracker();
    tracker.add(at(5n), 6n);
    expect(() => tracker.add(at(5n), 6n)).toThrow(RangeError);
  });

  it('never passes an unfinished record, never goes back, and ends behind the last one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 8 }), { maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (fetches, choices) => {
          const tracker = new OffsetTracker();
          const unfinished: bigint[] = [];
          let next = 0n;
          let before: bigint | undefined;
          const check = () => {
            const lowest = unfinished.reduce<bigint | undefined>(
              (low, each) => (low === undefined || each < low ? each : low),
              undefined,
            );
            expect(tracker.position).toBe(lowest ?? tracker.reached);
            if (before !== undefined && tracker.position !== undefined)
              expect(tracker.position >= before).toBe(true);
            before = tracker.position;
            expect(tracker.unfinished).toBe(unfinished.length);
          };
          const finishOne = () => {
            const index = (choices.next().value as number) % unfinished.length;
            const [offset] = unfinished.splice(index, 1);
            if (offset !== undefined) tracker.finish(offset);
            check();
          };
          for (const steps of fetches) {
            const offsets = steps.map((step) => (next += BigInt(step)) - 1n);
            tracker.add(at(...offsets), next);
            unfinished.push(...offsets);
            check();
            while (unfinished.length > 0 && (choices.next().value as number) % 3 > 0) finishOne();
          }
          while (unfinished.length > 0) finishOne();
          if (fetches.length > 0) expect(tracker.position).toBe(next);
        },
      ),
    );
  });
});
