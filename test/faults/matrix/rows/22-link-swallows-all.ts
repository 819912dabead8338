import type { FaultRow } from '../fault-row.ts';
import { lostLink } from '../lost-link.ts';

export const row: FaultRow = {
  number: 22,
  fault: 'the link between relay and Postgres swallows everything, both ways, and stays open',
  expected:
    'noticed within twice the timeout, the slot is freed, another connection after the heal',
  seeds: 20,
  inCi: false,
  run: async (round) => lostLink(round, { mode: 'blackhole' }),
};
