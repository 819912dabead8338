import { describe, expect, it } from 'vitest';
import type { Handling } from './handled-file.ts';
import { judgeRound, type RoundFacts } from './judge.ts';
import type { LogRecord } from './topic-log.ts';

const record = (offset: number, key: string, version: number, atMs = 0): LogRecord => ({
  partition: 0,
  offset,
  key,
  version,
  atMs,
});
const handling = (of: LogRecord, atMs: number): Handling => ({
  partition: of.partition,
  offset: of.offset,
  key: of.key,
  version: of.version,
  atUs: atMs * 1000,
});
const [a1, b1, a2, b2] = [
  record(0, 'a', 1),
  record(1, 'b', 1),
  record(2, 'a', 2),
  record(3, 'b', 2),
] as const;
const judge = (handled: RoundFacts['handled'], more: Partial<RoundFacts> = {}) =>
  judgeRound({
    log: [a1, b1, a2, b2],
    handled,
    committed: new Map([[0, 4]]),
    disturbances: [],
    clockOffsetUs: 0,
    ...more,
  });
const good = { lost: 0, uncommitted: 0, gaps: 0, disorder: 0, unknown: 0, duplicates: 0 };

describe('judgeRound', () => {
  it('finds nothing where every event was handled in the order of its key, by any member', () => {
    expect(
      judge([
        [handling(b1, 1), handling(a2, 4)],
        [handling(a1, 2), handling(b2, 3)],
      ]),
    ).toMatchObject({ ...good, events: 4 });
  });

  it('counts what came again, and not as out of order', () => {
    expect(
      judge([[a1, b1, a2, a1, a2, b2].map((each, index) => handling(each, index))]),
    ).toMatchObject({ ...good, duplicates: 2 });
  });

  it('finds what was committed over: a loss, and a gap where a later version was handled', () => {
    expect(judge([[handling(b1, 1), handling(a2, 2), handling(b2, 3)]])).toMatchObject({
      ...good,
      lost: 1,
      gaps: 1,
      examples: ['a version 1 at 0/0'],
    });
    expect(judge([[handling(a1, 1), handling(b1, 2), handling(b2, 3)]])).toMatchObject({
      ...good,
      lost: 1,
    });
  });

  it('does not call lost what is not committed', () => {
    expect(
      judge([[handling(a1, 1), handling(b1, 2)]], { committed: new Map([[0, 2]]) }),
    ).toMatchObject({ ...good, uncommitted: 2 });
  });

  it('finds a version that was first handled after a later one', () => {
    expect(
      judge([[handling(b1, 0), handling(a2, 1), handling(a1, 2), handling(b2, 3)]]),
    ).toMatchObject({ ...good, disorder: 1 });
  });

  it('finds an event that is not in the topic', () => {
    const aborted = record(4, 'a', 3);
    expect(
      judge([[a1, b1, a2, b2, aborted].map((each, index) => handling(each, index))]),
    ).toMatchObject({ ...good, unknown: 1 });
  });

  it('measures pauses from the moment when work waited, in the partitions that were met and in the others', () => {
    const log = [
      record(0, 'a', 1),
      record(1, 'a', 2),
      record(2, 'a', 3, 500),
      { ...record(0, 'b', 1), partition: 1 },
      { ...record(1, 'b', 2), partition: 1 },
    ] as const;
    const [first, second, late, other, another] = log;
    const verdict = judge(
      [
        [
          handling(first, 10),
          handling(other, 15),
          handling(another, 30),
          handling(second, 210),
          handling(late, 520),
        ],
      ],
      {
        log,
        committed: new Map([
          [0, 3],
          [1, 2],
        ]),
        disturbances: [{ what: 'move', beganUs: 20_000, endedUs: 25_000, partitions: [0] }],
      },
    );
    expect(verdict).toMatchObject({
      ...good,
      pauseAllMs: 180,
      pausePartitionMs: 200,
      pauseTouchedMs: 200,
      pauseOthersMs: 15,
    });
  });
});
