import { describe, expect, it } from 'vitest';
import { healthySlot } from './test-support/healthy-slot.ts';
import { WalGrowth } from './wal-growth.ts';

const window = { windowMs: 300_000, leastMs: 10_000 };

/** One measurement every five seconds; the log itself is written at a steady rate, unless `written` says otherwise. */
function observed(
  retained: readonly (number | undefined)[],
  written = (index: number) => 1000 * index,
): WalGrowth {
  const growth = new WalGrowth(window);
  retained.forEach((retainedBytes, index) =>
    growth.observe(
      5000 * index,
      retainedBytes === undefined
        ? undefined
        : healthySlot({ retainedBytes, writtenBytes: written(index) }),
    ),
  );
  return growth;
}
const steps = <Value>(count: number, of: (index: number) => Value) =>
  Array.from({ length: count }, (_, index) => of(index));

describe('the growth of the retained log', () => {
  it('is unknown until two measurements are far enough apart', () => {
    expect(observed([0]).rate).toBe(undefined);
    expect(observed([0, 100]).rate).toBe(undefined);
    expect(observed([0, 100, 200]).rate).toEqual({ bytesPerSecond: 20, windowSeconds: 10 });
  });

  it('is that of the window, not of all time', () => {
    const rate = observed(steps(200, (index) => (index < 100 ? 0 : (index - 100) * 500))).rate;
    expect(rate).toEqual({ bytesPerSecond: 100, windowSeconds: 300 });
  });

  it('is none of a saw, which is how the server moves restart_lsn while all is well', () => {
    const rate = observed(steps(121, (index) => (index % 6) * 1_000_000)).rate;
    expect(Math.abs(rate?.bytesPerSecond ?? NaN)).toBeLessThan(17_000);
  });

  it('is below 0 after a transaction that kept the log has ended', () => {
    const rate = observed([...steps(30, (index) => index * 1000), 0]).rate;
    expect(rate?.bytesPerSecond).toBe(0);
    expect(observed([5000, 6000, 7000, 100]).rate?.bytesPerSecond).toBeLessThan(0);
  });

  // The relay caught up, or a recovery made the slot anew; and then Kafka went away again.
  it('is that since the fall where the log fell and grows again for a minute: not "does not grow" for five', () => {
    const retained = steps(40, (index) => (index < 20 ? 5e9 + index : (index - 20) * 1e8));
    expect(observed(retained).rate).toEqual({ bytesPerSecond: 2e7, windowSeconds: 95 });
    expect(observed(retained.slice(0, 32)).rate?.bytesPerSecond).toBeLessThan(0);
  });

  it('goes on over measurements that failed', () => {
    expect(observed([0, undefined, undefined, 300]).rate).toEqual({
      bytesPerSecond: 20,
      windowSeconds: 15,
    });
  });

  it('begins anew where the log went back: another server, or one that was brought back', () => {
    const wentBack = observed([0, 1000, 2000, 90_000, 90_100, 90_200], (index) =>
      index < 3 ? 1_000_000 + index : index,
    );
    expect(wentBack.rate).toEqual({ bytesPerSecond: 20, windowSeconds: 10 });
  });

  it('is unknown when the slot is lost, which keeps nothing', () => {
    const growth = observed([0, 100, 200]);
    growth.observe(15_000, healthySlot({ retainedBytes: undefined }));
    expect(growth.rate).toBe(undefined);
  });
});
