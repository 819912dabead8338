import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lagText, LagWindow } from './lag-window.ts';
import { createProgress, stepsText } from './progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function screen(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 100,
    rows: 30,
    cursorTo: vi.fn(),
    moveCursor: vi.fn(),
    clearLine: vi.fn(),
  });
  const chunks: string[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { output: stream as unknown as WriteStream, text: () => chunks.join('') };
}

test('without a terminal there are plain lines, at intervals and at the end of a stage', () => {
  const { output, text } = screen(false);
  const progress = createProgress({ output, plainIntervalMs: 1000 });
  progress.begin('load', 2000, () => 'lag unknown');
  progress.advance(500);
  vi.advanceTimersByTime(1000);
  progress.note('first event');
  progress.advance(1500);
  progress.end();
  progress.end();
  vi.advanceTimersByTime(5000);
  expect(text()).toBe(
    'load: 500/2,000 · 500/s · lag unknown\nfirst event\nload: 2,000/2,000 · 2,000/s · lag unknown\n',
  );
});

test('a terminal gets a bar with a live line, and lines that stay above it', () => {
  const { output, text } = screen(true);
  const progress = createProgress({ output });
  progress.begin('load', 4, () => 'lag p50 3 ms');
  progress.advance(3);
  progress.note('first event');
  vi.advanceTimersByTime(500);
  progress.end();
  expect(text()).toContain('first event');
  expect(text()).toMatch(/load +█+░+ 75% 3\/4/);
  expect(text()).toContain('lag p50 3 ms');
  expect(vi.getTimerCount()).toBe(0);
});

test('a rate is not made up from the first moments', () => {
  expect(stepsText(3, 10, 1)).toBe('3/10 · 0/s');
  expect(stepsText(1200, 13_168, 2000)).toBe('1,200/13,168 · 600/s');
});

test('lag is unknown until something arrived, then a quantile of the last records', () => {
  const window = new LagWindow(100);
  expect(lagText(window)).toBe('lag unknown');
  for (let lagMs = 1; lagMs <= 100; lagMs++) window.add(lagMs);
  expect([
    window.quantile(0),
    window.quantile(0.5),
    window.quantile(0.99),
    window.quantile(1),
  ]).toEqual([1, 50, 99, 100]);
  for (let times = 0; times < 100; times++) window.add(7);
  expect(lagText(window)).toBe('lag p50 7 ms, p99 7 ms');
  expect(window.count).toBe(200);
});
