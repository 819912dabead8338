import { describe, expect, it } from 'vitest';
import { RelayError } from './errors.ts';
import { Readiness } from './readiness.ts';
import { lsnFromText, noLsn } from './wal/lsn.ts';

const gone = new RelayError('SINK_UNAVAILABLE', 'nobody there');
const batch = { topic: 't', partition: 0, records: [] };
const noGauges = () => ({
  ackLsn: noLsn,
  inFlightBytes: 0,
  isPaused: false,
  laneDepths: new Map<string, number>(),
  undecidedTails: 0,
  withheldRecords: 0,
  parkedKeys: new Map<string, number>(),
  listParked: () => [],
});

function streaming(nowMs?: () => number): Readiness {
  const readiness = new Readiness(nowMs);
  readiness.observer.sessionStarted(noGauges);
  readiness.observer.stateChanged('streaming');
  return readiness;
}

describe('readiness', () => {
  it('assumes nothing before it was seen', () => {
    const readiness = new Readiness();
    expect(readiness.relay).toEqual({ ok: false, detail: 'connecting' });
    expect(readiness.kafka).toEqual({ ok: false, detail: 'not asked yet' });
  });

  it('of an idle relay notices that no broker answers, and that one answers again', () => {
    const readiness = streaming();
    readiness.kafkaAsked(gone);
    expect(readiness.kafka).toEqual({ ok: false, detail: 'SINK_UNAVAILABLE: no broker answers' });
    readiness.kafkaAsked(undefined);
    expect(readiness.kafka.ok).toBe(true);
  });

  it('a cluster that answers does not hide a send that fails', () => {
    const readiness = streaming();
    readiness.observer.sendFailed(new RelayError('SINK_PARTITION_UNAVAILABLE', 'x'), 3, []);
    readiness.kafkaAsked(undefined);
    expect(readiness.kafka).toEqual({ ok: false, detail: 'SINK_PARTITION_UNAVAILABLE, attempt 4' });
    readiness.observer.batchDelivered(batch);
    expect(readiness.kafka.ok).toBe(true);
  });

  it('tells steadily which partition takes nothing, and since when, while others do', () => {
    let nowMs = 1000;
    const readiness = streaming(() => nowMs);
    const stuck = new RelayError('SINK_PARTITION_UNAVAILABLE', 'x');
    readiness.observer.sendFailed(stuck, 0, ['t/3']);
    for (let attempt = 1; attempt < 6; attempt += 1) {
      nowMs += 10_000;
      readiness.observer.batchDelivered(batch);
      readiness.kafkaAsked(undefined);
      const seen = readiness.kafka;
      readiness.observer.sendFailed(stuck, attempt, ['t/3']);
      expect(seen).toEqual({
        ok: false,
        detail: `SINK_PARTITION_UNAVAILABLE, attempt ${attempt}: t/3 takes nothing for ${attempt * 10} s; others confirm`,
      });
    }
    readiness.observer.batchDelivered({ ...batch, partition: 3 });
    expect(readiness.kafka).toEqual({ ok: true, detail: 'records confirmed' });
  });

  it('names the partitions that took nothing for longest, and how many there are', () => {
    let nowMs = 0;
    const readiness = streaming(() => nowMs);
    const gone = new RelayError('SINK_UNAVAILABLE', 'x');
    for (const lane of ['t/5', 't/1', 't/2', 't/3']) {
      readiness.observer.sendFailed(gone, 0, [lane]);
      nowMs += 1000;
    }
    expect(readiness.kafka).toEqual({
      ok: false,
      detail:
        'SINK_UNAVAILABLE, attempt 1: t/5, t/1, t/2 and 1 more take nothing, the first for 4.0 s',
    });
    readiness.observer.sessionStarted(noGauges);
    expect(readiness.kafka).toEqual({ ok: true, detail: 'producer open' });
  });

  it('of a standby is green, whatever ended its last session', () => {
    const readiness = streaming();
    readiness.observer.sessionEnded(new RelayError('SINK_FENCED', 'newer'), 1000);
    readiness.observer.stateChanged('standby');
    expect(readiness.relay).toEqual({ ok: true, detail: 'standby' });
    for (const holder of ['the one', 'the other']) {
      readiness.observer.waits(new RelayError('SOURCE_SLOT_BUSY', `held by ${holder}`));
      expect(readiness.relay).toEqual({ ok: true, detail: `standby: held by ${holder}` });
    }
    expect(readiness.kafka.ok).toBe(true);
  });

  it('tells that the server decodes and sends nothing, until it does', () => {
    const readiness = streaming();
    readiness.serverSilent(12_400);
    expect(readiness.relay.detail).toBe('streaming; the server decodes, nothing sent for 12 s');
    readiness.serverSilent(undefined);
    expect(readiness.relay.detail).toBe('streaming');
  });

  it('says why it recovers, and does not call Kafka well meanwhile', () => {
    const readiness = streaming();
    readiness.observer.sessionEnded(new RelayError('SOURCE_IN_RECOVERY', 'x'), 200);
    readiness.observer.stateChanged('recovering');
    expect(readiness.relay).toEqual({ ok: false, detail: 'recovering: SOURCE_IN_RECOVERY' });
    expect(readiness.kafka.ok).toBe(false);
  });
});

it('tells that partitions hold events which the database does not have, and is ready all the same', () => {
  const readiness = new Readiness();
  readiness.observer.stateChanged('streaming');
  expect(readiness.relay).toEqual({ ok: true, detail: 'streaming' });
  const commitLsn = lsnFromText('0/50');
  const refuted = {
    lane: 't/0',
    tail: { position: { commitLsn, index: 0 }, eid: 'e' },
    found: { kind: 'end', flushedLsn: commitLsn },
    withheld: 0,
  } as const;
  readiness.observer.tailsRefuted([refuted, { ...refuted, lane: 't/1' }, refuted]);
  expect(readiness.relay.ok).toBe(true);
  expect(readiness.relay.detail).toContain('2 partitions');
  expect(readiness.relay.detail).toContain('outbound verify --repair');
});
