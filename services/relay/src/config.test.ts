import { readConfig } from '@outbound/service-kit';
import { expect, it } from 'vitest';
import { configPrefix, configSchema, judgeTimings } from './config.ts';

const required = {
  RELAY_DATABASE_URL: 'postgres://relay@h/d',
  RELAY_KAFKA_BROKERS: 'h:9092',
};

const configured = (env: Record<string, string>) =>
  readConfig(configPrefix, configSchema, { ...required, ...env });

it('a relay that stood still asks for its slot before Postgres can have given it away: by default, and by what is taken', () => {
  expect(() => judgeTimings(configured({}))).not.toThrow();
  expect(() =>
    judgeTimings(
      configured({
        RELAY_WAL_SENDER_TIMEOUT_MS: '3000',
        RELAY_STATUS_INTERVAL_MS: '1000',
        RELAY_STALL_LIMIT_MS: '2000',
      }),
    ),
  ).not.toThrow();
});

it('timings by which it would ask too late are refused, with all three values', () => {
  expect(() => judgeTimings(configured({ RELAY_WAL_SENDER_TIMEOUT_MS: '14999' }))).toThrow(
    /RELAY_WAL_SENDER_TIMEOUT_MS is 14999.*RELAY_STATUS_INTERVAL_MS \(5000\).*RELAY_STALL_LIMIT_MS \(10000\)/,
  );
});
