import { kafkaConnection, kafkaSettings, readConfig } from '@outbound/service-kit';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { sessionTiming } from './kafka-session.ts';

it('wants an answer sooner than a silent broker is given up, so that a living one is not cut (trap 10d)', () => {
  const settings = readConfig('RELAY_', z.object(kafkaSettings('outbound-relay')), {
    RELAY_KAFKA_BROKERS: 'a:9092',
  });
  const { silenceLimitMs } = kafkaConnection(settings, { prefix: 'RELAY_', isProduction: false });
  expect(silenceLimitMs).toBeGreaterThan(sessionTiming.replicationTimeoutMs);
});
