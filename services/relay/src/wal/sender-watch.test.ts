import { describe, expect, it } from 'vitest';
import type { RelayError } from '../errors.ts';
import type { SenderActivity } from './sender-life.ts';
import { SenderWatch } from './sender-watch.ts';

const works: SenderActivity = { waitEventType: null, waitEvent: null };
const waits: SenderActivity = { waitEventType: 'Activity', waitEvent: 'WalSenderMain' };

/** A watch over a server with a timeout of 10 s, and its own clock. */
function watched(walSenderTimeoutMs = 10_000) {
  let nowMs = 0;
  let activity: () => Promise<SenderActivity | undefined> = () => Promise.resolve(works);
  const lost: RelayError[] = [];
  const silences: (number | undefined)[] = [];
  const watch = new SenderWatch({
    walSenderTimeoutMs,
    ask: () => nowMs,
    activity: () => activity(),
    onLost: (reason) => lost.push(reason),
    onSilence: (silentMs) => silences.push(silentMs),
    nowMs: () => nowMs,
  });
  return {
    watch,
    lost,
    silences,
    /** What the other connection says from now on. */
    says: (next: () => Promise<SenderActivity | undefined>) => (activity = next),
    pass: async (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        nowMs += 1000;
        watch.check();
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
      }
    },
  };
}

describe('a server that is silent', () => {
  it('and works is waited for, however long, and its silence is told until it ends', async () => {
    const { watch, lost, silences, pass } = watched();
    await pass(600);
    expect(lost).toEqual([]);
    expect(silences[0]).toBe(20_000);
    expect(silences.at(-1)).toBe(600_000);
    watch.heard();
    expect(silences.at(-1)).toBeUndefined();
    const told = silences.length;
    watch.heard();
    await pass(15);
    expect(silences).toHaveLength(told);
  });

  it('while its process waits for us is given up at the second look: the way is broken', async () => {
    const { lost, says, pass } = watched();
    says(() => Promise.resolve(waits));
    await pass(20);
    expect(lost).toEqual([]);
    await pass(2);
    expect(lost.map(String)).toEqual([expect.stringContaining('the connection is broken')]);
    expect(lost[0]?.code).toBe('SOURCE_CONNECTION_LOST');
    await pass(100);
    expect(lost).toHaveLength(1);
  });

  it('is not given up if its answer was only on the way', async () => {
    const { watch, lost, says, pass } = watched();
    says(() => Promise.resolve(waits));
    await pass(20);
    watch.heard();
    await pass(20);
    watch.heard();
    says(() => Promise.resolve(works));
    await pass(60);
    says(() => Promise.resolve(waits));
    await pass(1);
    expect(lost).toEqual([]);
  });

  it('is given up at once when its process is gone, or nobody answers at all', async () => {
    for (const [answer, words] of [
      [() => Promise.resolve(undefined), 'is gone'],
      [() => Promise.reject(new Error('no')), 'either'],
    ] as const) {
      const { lost, says, pass } = watched();
      says(answer);
      await pass(20);
      expect(lost.map(String)).toEqual([expect.stringContaining(words)]);
    }
  });

  it('without a timeout of its own is judged after a minute of silence', async () => {
    const { lost, says, pass } = watched(0);
    says(() => Promise.resolve(waits));
    await pass(119);
    expect(lost).toEqual([]);
    await pass(3);
    expect(lost).toHaveLength(1);
  });

  it('while we do not read says nothing', async () => {
    const { watch, lost, says, pass } = watched();
    says(() => Promise.resolve(undefined));
    watch.pause(true);
    await pass(100);
    watch.pause(false);
    await pass(19);
    expect(lost).toEqual([]);
    await pass(1);
    expect(lost).toHaveLength(1);
  });
});
