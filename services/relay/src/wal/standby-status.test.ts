import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noLsn, type Lsn } from './lsn.ts';
import {
  encodeStandbyStatus,
  statusDueInMs,
  statusIntervalMs,
  statusToSend,
  type StatusState,
} from './standby-status.ts';

const lsn = (value: bigint) => value as Lsn;
const timing = { intervalMs: 5000, gapMs: 100 };
const quiet: StatusState = {
  receivedLsn: lsn(100n),
  progress: { ackLsn: lsn(100n), idle: true },
  sentFlushLsn: lsn(100n),
  sentMs: 0,
  isReplyDue: false,
};

describe('a standby status update', () => {
  it('says everything is flushed when everything is', () => {
    expect(statusToSend(quiet)).toEqual({
      write: 100n,
      flush: 100n,
      apply: 100n,
      replyRequested: false,
    });
  });

  // Trap 1.2: else a server that stops waits for us for ever.
  it('says nothing of flushing while something is on its way and nothing is new', () => {
    const busy = { ...quiet, receivedLsn: lsn(200n), progress: { ackLsn: lsn(100n), idle: false } };
    expect(statusToSend(busy)).toMatchObject({ write: 200n, flush: 0n, apply: 0n });
  });

  it('tells news of flushing once, exactly', () => {
    const news = { ...quiet, receivedLsn: lsn(200n), progress: { ackLsn: lsn(150n), idle: false } };
    expect(statusToSend(news)).toMatchObject({ write: 200n, flush: 150n });
    expect(statusToSend({ ...news, sentFlushLsn: lsn(150n) })).toMatchObject({ flush: 0n });
  });

  it('never flushes beyond what was received or acknowledged, and never claims what was not received (I6)', () => {
    const value = fc.bigInt({ min: 0n, max: 20n }).map(lsn);
    fc.assert(
      fc.property(value, value, value, fc.boolean(), (receivedLsn, ackLsn, sentFlushLsn, idle) => {
        const status = statusToSend({
          ...quiet,
          receivedLsn,
          sentFlushLsn,
          progress: { ackLsn, idle },
        });
        expect(status.write).toBe(receivedLsn);
        expect(status.flush).toBe(status.apply);
        expect(status.flush === noLsn || status.flush === ackLsn).toBe(true);
        expect(status.flush <= receivedLsn).toBe(true);
      }),
    );
  });

  it('lets a server stop whatever the reader is at: flush equals what was received, or is nothing to say', () => {
    const value = fc.bigInt({ min: 0n, max: 20n }).map(lsn);
    fc.assert(
      fc.property(value, value, fc.boolean(), (receivedLsn, ackLsn, idle) => {
        fc.pre(ackLsn <= receivedLsn && !(idle && ackLsn < receivedLsn));
        // The second frame after a stop, when there is no news left.
        const { flush } = statusToSend({
          ...quiet,
          receivedLsn,
          sentFlushLsn: ackLsn,
          progress: { ackLsn, idle },
        });
        expect(flush === noLsn || flush === receivedLsn).toBe(true);
      }),
    );
  });

  it('is due after the interval when nothing happens', () => {
    expect(statusDueInMs(quiet, 1000, timing)).toBe(4000);
    expect(statusDueInMs(quiet, 5000, timing)).toBe(0);
  });

  // Trap 2.18, and the server that asks 22,000 times a second while it stops.
  it.each([
    ['there is progress', { progress: { ackLsn: lsn(100n), idle: true }, sentFlushLsn: lsn(90n) }],
    ['the server asked', { isReplyDue: true }],
  ])('is due at once when %s, but not sooner than the gap after the last', (_, change) => {
    const state = { ...quiet, ...change };
    expect(statusDueInMs(state, 5000, timing)).toBeLessThanOrEqual(0);
    expect(statusDueInMs(state, 40, timing)).toBe(60);
    expect(statusDueInMs({ ...state, sentMs: -Infinity }, 0, timing)).toBe(-Infinity);
  });

  it('comes often enough for a short wal_sender_timeout', () => {
    expect(statusIntervalMs(5000, 60_000)).toBe(5000);
    expect(statusIntervalMs(5000, 3000)).toBe(1000);
    expect(statusIntervalMs(5000, 100)).toBe(100);
    expect(statusIntervalMs(5000, 0)).toBe(5000);
  });

  // Traps 2.6 and 2.11: exact positions, and the epoch of 2000-01-01, not seven days beside it.
  it('is 34 bytes: r, three positions, microseconds since 2000, and whether an answer is wanted', () => {
    const status = {
      write: lsn(0x0102030405060708n),
      flush: lsn(0xffffffffn),
      apply: lsn(3n),
      replyRequested: true,
    };
    const bytes = encodeStandbyStatus(status, Date.UTC(2000, 0, 1, 0, 0, 1));
    expect(bytes.toString('hex')).toBe(
      '72' +
        '0102030405060708' +
        '00000000ffffffff' +
        '0000000000000003' +
        '00000000000f4240' +
        '01',
    );
    expect(encodeStandbyStatus({ ...status, replyRequested: false }, Date.now())[33]).toBe(0);
  });

  it('can be dated before 2000, by a machine whose clock was never set', () => {
    expect(encodeStandbyStatus(statusToSend(quiet), 0).length).toBe(34);
  });
});
