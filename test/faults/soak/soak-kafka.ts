import type { KafkaOptions } from '@outbound/local-stack';

/** Three brokers that take a dead or hung one for dead within seconds. */
export const soakKafka = {
  brokers: 3,
  settings: {
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'replica.lag.time.max.ms': '3000',
  },
} as const satisfies KafkaOptions;
