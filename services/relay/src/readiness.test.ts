import { expect, it } from 'vitest';
import { Readiness } from './readiness.ts';
import { lsnFromText } from './wal/lsn.ts';

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
