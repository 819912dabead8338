import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noLsn, type Lsn } from './lsn.ts';
import { StatusReporter } from './status-reporter.ts';

const lsn = (value: bigint) => value as Lsn;

describe('the status reporter', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function reporter() {
    const frames: { atMs: number; write: bigint; flush: bigint; asks: boolean }[] = [];
    const started = performance.now();
    const status = new StatusReporter({
      timing: { intervalMs: 5000, gapMs: 100 },
      write: (frame) =>
        frames.push({
          atMs: performance.now() - started,
          write: frame.readBigUInt64BE(1),
          flush: frame.readBigUInt64BE(9),
          asks: frame[33] === 1,
        }),
    });
    return { status, frames };
  }

  it('writes at the start, and then at every interval for as long as nothing happens', () => {
    const { status, frames } = reporter();
    status.start();
    vi.advanceTimersByTime(15_000);
    expect(frames.map(({ atMs }) => atMs)).toEqual([0, 5000, 10_000, 15_000]);
    status.stop();
    vi.advanceTimersByTime(60_000);
    expect(frames.length).toBe(4);
  });

  // Trap 2.7: relation messages carry 0/0.
  it('never says that less was received than before', () => {
    const { status, frames } = reporter();
    status.received(lsn(100n));
    status.received(noLsn);
    status.start();
    expect(frames).toMatchObject([{ write: 100n }]);
  });

  // Trap 2.18.
  it('writes progress at most every gap, the newest, and each once', () => {
    const { status, frames } = reporter();
    status.received(lsn(1000n));
    status.start();
    for (let ack = 1n; ack <= 250n; ack += 1n) {
      status.report({ ackLsn: lsn(ack), idle: false });
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(1000);
    expect(frames.map(({ atMs }) => atMs)).toEqual([0, 100, 200, 300]);
    expect(frames.map(({ flush }) => flush)).toEqual([0n, 100n, 200n, 250n]);
  });

  // A server that stops asks again as soon as it was answered.
  it('answers a server that asks without end, but not without pause', () => {
    const { status, frames } = reporter();
    status.start();
    for (let ms = 0; ms < 1000; ms += 1) {
      status.replyRequested();
      vi.advanceTimersByTime(1);
    }
    expect(frames.length).toBe(11);
  });

  it('counts nothing as sent that came before the start', () => {
    const { status, frames } = reporter();
    status.received(lsn(7n));
    status.report({ ackLsn: lsn(7n), idle: false });
    status.replyRequested();
    vi.advanceTimersByTime(10_000);
    expect(frames).toEqual([]);
    status.start();
    expect(frames).toMatchObject([{ write: 7n, flush: 7n, asks: false }]);
  });

  it('asks at once, whatever the gap', () => {
    const { status, frames } = reporter();
    status.start();
    expect(status.ask()).toBe(performance.now());
    expect(frames.map(({ asks }) => asks)).toEqual([false, true]);
  });
});
