import { soak } from '../../soak/soak.ts';
import { soakKafka } from '../../soak/soak-kafka.ts';
import { soakOutcome } from '../../soak/soak-outcome.ts';
import { wholeNumber } from '../run-options.ts';
import type { FaultRow } from '../fault-row.ts';

export const row: FaultRow = {
  number: 45,
  fault: 'soak: an hour (or SOAK_MINUTES) of these faults in random order, two at a time',
  expected: 'every promise at the end of it, by the checker, a subscriber and a rebuild',
  seeds: 3,
  inCi: false,
  run: async ({ seed, say, stack }) => {
    const minutes = wholeNumber('SOAK_MINUTES', process.env['SOAK_MINUTES'] ?? '60', 1);
    return soakOutcome(await soak(await stack({ kafka: soakKafka }), { seed, minutes, say }));
  },
};
