import type { FaultRow } from '../fault-row.ts';
import { lostLink } from '../lost-link.ts';

export const row: FaultRow = {
  number: 23,
  fault: 'the link is half open: what Postgres sends vanishes, what the relay sends arrives',
  expected:
    'the watchdog gives it up within twice the timeout and 10 s; another connection after the heal',
  seeds: 20,
  inCi: false,
  run: async (round) => lostLink(round, { mode: 'blackhole', direction: 'down' }),
};
