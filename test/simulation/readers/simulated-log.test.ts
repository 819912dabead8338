import { describe, expect, it } from 'vitest';
import { SimulatedLog, type LoggedEvent } from './simulated-log.ts';

const at = { leaderEpoch: 0, timestampMs: 1000 };
let count = 0;

function event(key: string, isTombstone = false): LoggedEvent {
  count += 1;
  return {
    eid: `e${count}`,
    key,
    version: count,
    isTombstone,
    bytes: {
      key: Buffer.from(key),
      value: isTombstone ? null : Buffer.from(`v${count}`),
      headers: [],
    },
  };
}

function replicated(log: SimulatedLog): SimulatedLog {
  log.highWatermark = log.endOffset;
  return log;
}

/** Bounds of the batches in a read. */
function bounds(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + 61 <= bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    const base = Number(bytes.readBigInt64BE(at));
    const marker = bytes.readInt16BE(at + 21) & 0x20 ? ' marker' : '';
    found.push(
      `${base}-${base + bytes.readInt32BE(at + 23)}: ${bytes.readInt32BE(at + 57)}${marker}`,
    );
  }
  return found;
}

describe('a simulated partition', () => {
  it('gives whole batches that begin before the position', () => {
    const log = new SimulatedLog();
    log.append([event('a'), event('b'), event('c')], at);
    log.append([event('a')], at);
    expect(bounds(replicated(log).read(1, 10_000, true).bytes)).toEqual(['0-2: 3', '3-3: 1']);
    expect(bounds(log.read(3, 10_000, true).bytes)).toEqual(['3-3: 1']);
    expect(log.read(4, 10_000, true).bytes).toHaveLength(0);
  });

  it('cuts at the limit, but the first batch of an answer comes whole', () => {
    const log = new SimulatedLog();
    log.append([event('a'), event('b')], at);
    log.append([event('a')], at);
    const whole = replicated(log).read(0, 10_000, true).bytes;
    const first = 12 + whole.readInt32BE(8);
    expect(log.read(0, 10, true).bytes).toHaveLength(first);
    expect(log.read(0, 10, false).bytes).toHaveLength(10);
    expect(log.read(0, first + 20, true).bytes).toHaveLength(first + 20);
  });

  it('hands out nothing behind an open transaction, nor one whose marker is not replicated', () => {
    const log = new SimulatedLog();
    log.append([event('a')], at);
    log.append([event('b')], at, { id: 7, isTransactional: true });
    log.append([event('c')], at);
    expect(replicated(log).lastStableOffset).toBe(1);
    expect(bounds(log.read(0, 10_000, true).bytes)).toEqual(['0-0: 1']);
    log.endTransaction(7, 'commit', at);
    expect(log.lastStableOffset).toBe(1);
    expect(replicated(log).lastStableOffset).toBe(4);
    expect(log.records.map(({ fate }) => fate)).toEqual(['committed', 'committed', 'committed']);
  });

  it('lists aborted transactions that overlap the answer', () => {
    const log = new SimulatedLog();
    log.append([event('a')], at, { id: 7, isTransactional: true });
    log.endTransaction(7, 'abort', at);
    log.append([event('a')], at, { id: 8, isTransactional: true });
    log.endTransaction(8, 'abort', at);
    replicated(log);
    expect(log.read(0, 10_000, true).aborted).toEqual([
      { producerId: 7, firstOffset: 0 },
      { producerId: 8, firstOffset: 2 },
    ]);
    expect(log.read(2, 10_000, true).aborted).toEqual([{ producerId: 8, firstOffset: 2 }]);
    expect(log.read(0, 10, true).aborted).toEqual([{ producerId: 7, firstOffset: 0 }]);
  });

  it('takes aborted data in a cleaning and leaves its marker, listed until the next one', () => {
    const log = new SimulatedLog();
    log.append([event('a')], at, { id: 7, isTransactional: true });
    log.endTransaction(7, 'abort', at);
    log.append([event('a')], at, { id: 7, isTransactional: true });
    log.endTransaction(7, 'commit', at);
    log.append([event('z')], at);
    replicated(log).clean(
      log.endOffset,
      () => false,
      () => false,
    );
    expect(bounds(log.read(0, 10_000, true).bytes)).toEqual([
      '1-1: 1 marker',
      '2-2: 1',
      '3-3: 1 marker',
      '4-4: 1',
    ]);
    expect(log.read(0, 10_000, true).aborted).toHaveLength(1);
    log.clean(
      log.endOffset,
      () => false,
      () => false,
    );
    expect(log.read(0, 10_000, true).aborted).toHaveLength(0);
    expect(log.records.map(({ isRemoved }) => isRemoved)).toEqual([true, false, false]);
  });

  it('keeps the newest state of each key, and bounds of batches that have lost records', () => {
    const log = new SimulatedLog();
    log.append([event('a'), event('b'), event('a')], at);
    log.append([event('b'), event('b')], at);
    log.append([event('b', true)], at);
    log.append([event('z')], at);
    const before = replicated(log).stateAt(log.endOffset);
    log.clean(
      log.endOffset,
      () => true,
      () => false,
    );
    expect(bounds(log.read(0, 10_000, true).bytes)).toEqual([
      '0-2: 1',
      '3-4: 0',
      '5-5: 1',
      '6-6: 1',
    ]);
    expect(log.stateAt(log.endOffset)).toEqual(before);
    log.clean(
      log.endOffset,
      () => false,
      () => true,
    );
    expect(bounds(log.read(0, 10_000, true).bytes)).toEqual(['0-2: 1', '6-6: 1']);
    expect([...log.stateAt(log.endOffset).keys()]).toEqual(['a', 'z']);
  });

  it('forgets what is before its start, and what only an old leader had', () => {
    const log = new SimulatedLog();
    log.append([event('a')], at);
    log.append([event('a'), event('b')], at);
    replicated(log).removeBefore(1);
    log.append([event('c')], at);
    expect(log.cutTo(log.highWatermark).map(({ key }) => key)).toEqual(['c']);
    expect({ start: log.startOffset, end: log.endOffset }).toEqual({
      start: 1,
      end: 3,
    });
    expect(bounds(log.read(1, 10_000, true).bytes)).toEqual(['1-2: 2']);
  });
});
