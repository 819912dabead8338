import type { StackChoice } from './stack-keeper.ts';

/** Three brokers that take a dead or hung one for dead within seconds. */
export const threeBrokers = {
  kafka: {
    brokers: 3,
    settings: {
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      'replica.lag.time.max.ms': '3000',
    },
  },
} as const satisfies StackChoice;
