import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyLanes } from './key-lanes.ts';

const item = (key: string, number: number) => ({ key, number, bytes: 10 });

describe('KeyLanes', () => {
  it('gives one record of a key at a time, and other keys meanwhile', () => {
    const lanes = new KeyLanes<ReturnType<typeof item>>();
    lanes.push(item('a', 1));
    lanes.push(item('a', 2));
    lanes.push(item('b', 3));
    expect(lanes.take()?.number).toBe(1);
    expect(lanes.take()?.number).toBe(3);
    expect(lanes.take()).toBeUndefined();
    expect(lanes).toMatchObject({ count: 1, bytes: 10 });
    lanes.release('a');
    expect(lanes.take()?.number).toBe(2);
  });

  it('keeps the order of each key and loses none, whatever is taken and released when', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant('push' as const), key: fc.constantFrom('a', 'b', 'c') }),
            fc.record({ do: fc.constant('take' as const) }),
            fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
          ),
        ),
        (steps) => {
          const lanes = new KeyLanes<ReturnType<typeof item>>();
          const out: string[] = [];
          const seen = new Map<string, number>();
          let pushed = 0;
          let taken = 0;
          const take = () => {
            const next = lanes.take();
            if (!next) return false;
            expect(out).not.toContain(next.key);
            expect(next.number).toBeGreaterThan(seen.get(next.key) ?? 0);
            seen.set(next.key, next.number);
            out.push(next.key);
            taken += 1;
            return true;
          };
          const release = (which: number) => {
            const [key] = out.splice(which % out.length, 1);
            if (key !== undefined) lanes.release(key);
          };
          for (const step of steps) {
            if (step.do === 'push') lanes.push(item(step.key, (pushed += 1)));
            else if (step.do === 'take') take();
            else if (out.length > 0) release(step.which);
          }
          while (take() || out.length > 0) if (out.length > 0) release(0);
          expect(taken).toBe(pushed);
          expect(lanes).toMatchObject({ count: 0, bytes: 0 });
        },
      ),
    );
  });
});
