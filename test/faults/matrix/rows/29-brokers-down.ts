import type { FaultRow } from '../fault-row.ts';
import { longOutage } from '../../long-outage.ts';
import { judged } from '../judged.ts';
import { threeBrokers } from '../three-brokers.ts';
import { underLoad } from '../under-load.ts';

/** Ten minutes, or BROKERS_DOWN_MS. */
const downMs = Number(process.env['BROKERS_DOWN_MS'] ?? 600_000);
const memoryCap = 48 * 1024 * 1024;
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

export const row: FaultRow = {
  number: 29,
  fault: 'all brokers down (10 min, or BROKERS_DOWN_MS), then up',
  expected: 'the relay holds back, the slot waits, memory stays bounded, and all of it arrives',
  seeds: 1,
  inCi: false,
  run: async ({ stack }) =>
    underLoad(
      await stack(threeBrokers),
      {
        allowedDuplicates: 0,
        healLimitMs: 300_000,
        env: { RELAY_MAX_IN_FLIGHT_BYTES: String(1024 * 1024) },
        load: { pauseMs: 10 },
      },
      async ({ pipeline, relay, load }) => {
        const outage = await longOutage(pipeline, relay, load, downMs);
        return {
          bit: `${Math.round(downMs / 1000)} s without a broker, ${outage.written.toLocaleString('en')} events written meanwhile`,
          judged: [
            judged(
              'I6',
              !outage.hasAcknowledged,
              outage.hasAcknowledged ? 'the slot moved' : 'the slot did not move',
            ),
            judged(
              'I9',
              outage.grownBytes < memoryCap,
              `memory grew by ${mib(outage.grownBytes)}, the slot held ${mib(outage.retainedBytes)} of log`,
            ),
            judged('I11', outage.ready === 'not ready', `readiness said ${outage.ready}`),
          ],
          figures: { minutes: Math.round(downMs / 6000) / 10 },
        };
      },
    ),
};
