import { expect, it } from 'vitest';
import { StuckLanes } from './stuck-lanes.ts';

it('a partition is stuck from its first failure to its own confirmation, the longest first', () => {
  let nowMs = 0;
  const stuck = new StuckLanes(() => nowMs);
  stuck.failed(['t/1'], 'SINK_UNAVAILABLE', 0);
  nowMs = 5000;
  stuck.failed(['t/2', 't/1'], 'SINK_PARTITION_UNAVAILABLE', 1);
  stuck.confirmed('t/3');
  nowMs = 8000;
  const of = { code: 'SINK_PARTITION_UNAVAILABLE', attempt: 1 };
  expect(stuck.list()).toEqual([
    { lane: 't/1', seconds: 8, ...of },
    { lane: 't/2', seconds: 3, ...of },
  ]);
  stuck.confirmed('t/1');
  expect(stuck.list().map(({ lane }) => lane)).toEqual(['t/2']);
  // Stuck again is stuck anew.
  stuck.failed(['t/1'], 'SINK_UNAVAILABLE', 0);
  expect(stuck.list().map(({ seconds }) => seconds)).toEqual([3, 0]);
  stuck.clear();
  expect(stuck.isEmpty).toBe(true);
});
