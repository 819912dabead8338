import { kafkaConnection, kafkaSettings, readConfig } from '@outbound/service-kit';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { sessionTiming } from './kafka-session.ts';

it('wants an answer sooner than a silent broker is given up, so that a living one is not cut (trap 10d)', () => {
  const limitOf = (env: object) => {
    const schema = z.object(kafkaSettings('outbound-relay'));
    const settings = readConfig('RELAY_', schema, { RELAY_KAFKA_BROKERS: 'a:9092', ...env });
    return kafkaConnection(settings, { prefix: 'RELAY_', env: {} }).silenceLimitMs;
  };
  expect(limitOf({})).toBe(5000);
  expect(limitOf({})).toBeGreaterThan(sessionTiming.replicationTimeoutMs);
  expect(limitOf({ RELAY_KAFKA_SILENCE_LIMIT_MS: '60000' })).toBe(60_000);
  const tooShort = String(sessionTiming.replicationTimeoutMs);
  expect(() => limitOf({ RELAY_KAFKA_SILENCE_LIMIT_MS: tooShort })).toThrow('SILENCE_LIMIT_MS');
});
