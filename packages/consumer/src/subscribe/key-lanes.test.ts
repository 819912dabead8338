import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyLanes, laneOf } from './key-lanes.ts';

describe('laneOf', () => {
  it('keeps apart keys that are no text, an empty one and none', () => {
    const keys = [
      ...['fffe0001', 'ffff0001', '', 'c480'].map((hex) => Buffer.from(hex, 'hex')),
      null,
    ];
    expect(new Set(keys.map((key) => laneOf({ key }))).size).toBe(keys.length);
  });
});

describe('KeyLanes', () => {
  it('holds back what comes behind a record that is out, and nothing else', () => {
    const lanes = new KeyLanes();
    lanes.occupy('a');
    expect(lanes.queue('a', 2)).toBe(true);
    expect(lanes.queue('b', 3)).toBe(false);
    expect(lanes.take()).toBeUndefined();
    lanes.release('a');
    expect(lanes.take()).toBe(2);
    expect(lanes.queue('a', 4)).toBe(true);
    lanes.release('a');
    expect(lanes.take()).toBe(4);
    lanes.release('a');
    expect(lanes).toMatchObject({ isIdle: true, waiting: 0 });
  });

  it('keeps the order of each key and loses none, whatever is taken and released when', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant('come' as const), key: fc.constantFrom('a', 'b', 'c') }),
            fc.record({ do: fc.constant('take' as const) }),
            fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
          ),
        ),
        (steps) => {
          const lanes = new KeyLanes();
          const keys: string[] = [];
          const out: number[] = [];
          const seen = new Map<string, number>();
          let taken = 0;
          const begin = (number: number) => {
            const key = keys[number] ?? '';
            expect(out.map((each) => keys[each])).not.toContain(key);
            expect(number).toBeGreaterThan(seen.get(key) ?? -1);
            seen.set(key, number);
            out.push(number);
            taken += 1;
          };
          const take = () => {
            const number = lanes.take();
            if (number !== undefined) begin(number);
            return number !== undefined;
          };
          const release = (which: number) => {
            const [number] = out.splice(which % out.length, 1);
            lanes.release(keys[number ?? 0] ?? '');
          };
          for (const step of steps) {
            if (step.do === 'come') {
              const number = keys.push(step.key) - 1;
              if (lanes.queue(step.key, number)) continue;
              begin(number);
              lanes.occupy(step.key);
            } else if (step.do === 'take') take();
            else if (out.length > 0) release(step.which);
          }
          while (take() || out.length > 0) if (out.length > 0) release(0);
          expect(taken).toBe(keys.length);
          expect(lanes).toMatchObject({ isIdle: true, waiting: 0 });
        },
      ),
    );
  });
});
