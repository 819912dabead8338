import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.ts';

const at = (...offsets: bigint[]) =>
  offsets.map((offset) => ({ offset, timestampMs: Number(offset) * 10 }));

describe('OffsetTracker', () => {
  it('begins where it is told', () => {
    expect(new OffsetTracker(7n)).toMatchObject({ position: 7n, reached: 7n, unfinished: 0 });
  });

  it('goes past the gap at the end of a fetch only when all before it is finished', () => {
    const tracker = new OffsetTracker(0n);
    tracker.add(at(3n, 7n), 12n);
    expect(tracker.oldestMs).toBe(30);
    expect(tracker.finish(1)).toBe(true);
    expect(tracker.position).toBe(3n);
    expect(tracker.finish(1)).toBe(false);
    expect(tracker.finish(0)).toBe(true);
    expect(tracker.position).toBe(12n);
    expect(tracker.oldestMs).toBeUndefined();
  });

  it.each([
    ['a record that was there', at(5n), 6n],
    ['records out of order', at(8n, 7n), 9n],
    ['an end before its last record', at(8n), 8n],
    ['an end that goes back', [], 5n],
  ])('refuses %s, and takes nothing of it', (_, records, next) => {
    const tracker = new OffsetTracker(5n);
    tracker.add(at(5n), 6n);
    expect(() => tracker.add(records, next)).toThrow(RangeError);
    expect(tracker).toMatchObject({ reached: 6n, end: 1, unfinished: 1 });
  });

  it('lets go of a record when it is finished', () => {
    const tracker = new OffsetTracker(0n);
    tracker.add(at(0n, 1n, 2n), 3n);
    tracker.finish(1);
    expect(tracker.slice(0, 3).map(({ offset }) => offset)).toEqual([0n, 2n]);
    expect(tracker.at(1)).toBeUndefined();
    expect(tracker.span).toBe(3);
  });

  it('never passes an unfinished record, never goes back, and ends behind the last one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 8 }), { maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (fetches, choices) => {
          const tracker = new OffsetTracker(0n);
          const unfinished: { readonly number: number; readonly offset: bigint }[] = [];
          let next = 0n;
          let before = 0n;
          const check = () => {
            const [lowest] = unfinished.toSorted((a, b) => a.number - b.number);
            expect(tracker.position).toBe(lowest?.offset ?? tracker.reached);
            expect(tracker.position >= before).toBe(true);
            before = tracker.position;
            expect(tracker.unfinished).toBe(unfinished.length);
          };
          const finishOne = () => {
            const index = (choices.next().value as number) % unfinished.length;
            const [one] = unfinished.splice(index, 1);
            if (one) tracker.finish(one.number);
            check();
          };
          for (const steps of fetches) {
            const offsets = steps.map((step) => (next += BigInt(step)) - 1n);
            for (const [index, offset] of offsets.entries())
              unfinished.push({ number: tracker.end + index, offset });
            tracker.add(at(...offsets), next);
            check();
            while (unfinished.length > 0 && (choices.next().value as number) % 3 > 0) finishOne();
          }
          while (unfinished.length > 0) finishOne();
          expect(tracker.position).toBe(next);
        },
      ),
    );
  });

  it('keeps its count over what it forgets', () => {
    const tracker = new OffsetTracker(0n);
    const total = 20_000;
    tracker.add(at(...Array.from({ length: total }, (_, index) => BigInt(index))), BigInt(total));
    for (let number = total - 2; number >= 1; number -= 1) tracker.finish(number);
    expect(tracker.position).toBe(0n);
    tracker.finish(0);
    expect(tracker.position).toBe(BigInt(total - 1));
    expect(tracker.at(total - 1)?.offset).toBe(BigInt(total - 1));
    tracker.add(at(BigInt(total)), BigInt(total + 1));
    expect(tracker.at(tracker.end - 1)?.offset).toBe(BigInt(total));
  });
});
