import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readConfig } from './config.ts';
import { kafkaConnection, kafkaSettings } from './kafka-settings.ts';

const read = (env: Record<string, string>) =>
  readConfig('RELAY_', z.object(kafkaSettings('outbound-relay')), env);
const connect = (env: Record<string, string>, isProduction = false) =>
  kafkaConnection(read({ RELAY_KAFKA_BROKERS: 'a:9092', ...env }), {
    prefix: 'RELAY_',
    env: { ...env, NODE_ENV: isProduction ? 'production' : undefined },
  });

describe('kafkaSettings', () => {
  it('reads a list of brokers, with spaces around the items and IPv6 in brackets', () => {
    expect(read({ RELAY_KAFKA_BROKERS: 'kafka-1:9092, [::1]:9093' }).kafkaBrokers).toEqual([
      'kafka-1:9092',
      '[::1]:9093',
    ]);
  });

  it.each([
    ['', 'is missing'],
    ['a:9092,', 'none of them empty'],
    ['a:9092,,b:9092', 'none of them empty'],
    ['a:9092,a:9092', 'a:9092 is named twice'],
    ['a', '"a" is not'],
    ['a:0', '"a:0" is not'],
    ['a:70000', '"a:70000" is not'],
    ['a:abc', '"a:abc" is not'],
    ['"a:9092"', 'is not'],
    ['kafka://a:9092', 'is not'],
    ['::1:9092', 'is not'],
  ])('refuses the broker list %j', (brokers, why) => {
    expect(() => read({ RELAY_KAFKA_BROKERS: brokers })).toThrow(why);
  });

  it('refuses a topic prefix that could not begin a topic name', () => {
    expect(() => read({ RELAY_KAFKA_BROKERS: 'a:1', RELAY_TOPIC_PREFIX: 'My_' })).toThrow(
      'RELAY_TOPIC_PREFIX',
    );
  });
});

describe('kafkaConnection', () => {
  it('always checks the certificate', () => {
    const { tls } = connect({ RELAY_KAFKA_TLS: 'true' });
    expect(typeof tls === 'function' && tls()).toMatchObject({ rejectUnauthorized: true });
  });

  it.each([
    [{ RELAY_KAFKA_SASL_USERNAME: 'u' }, 'without RELAY_KAFKA_SASL_MECHANISM'],
    [{ RELAY_KAFKA_SASL_MECHANISM: 'plain' }, 'needs RELAY_KAFKA_SASL_USERNAME'],
    [{ RELAY_KAFKA_TLS_CA: '-----BEGIN CERTIFICATE-----' }, 'RELAY_KAFKA_TLS is not true'],
    [{ RELAY_KAFKA_TLS_KEY: '-----BEGIN PRIVATE KEY-----' }, 'RELAY_KAFKA_TLS is not true'],
    [
      { RELAY_KAFKA_TLS: 'true', RELAY_KAFKA_TLS_CERT: '-----BEGIN CERTIFICATE-----' },
      'RELAY_KAFKA_TLS_KEY is set without the other',
    ],
    [
      { RELAY_KAFKA_TLS: 'true', RELAY_KAFKA_TLS_CA: '-----BEGIN CERTIFICATE-----' },
      'cannot be used: there is no whole certificate',
    ],
  ])('refuses settings that contradict each other: %j', (env, why) => {
    expect(() => connect(env)).toThrow(why);
  });

  it('refuses to send a password in the open in production, and never shows it', () => {
    const env = {
      RELAY_KAFKA_SASL_MECHANISM: 'plain',
      RELAY_KAFKA_SASL_USERNAME: 'u',
      RELAY_KAFKA_SASL_PASSWORD: 'hunter2',
    };
    expect(() => connect(env, true)).toThrow('in the open');
    expect(() => connect(env, true)).not.toThrow('hunter2');
    const { sasl } = connect(env);
    expect(sasl).toMatchObject({ mechanism: 'plain', username: 'u' });
    expect(typeof sasl?.password === 'function' && sasl.password()).toBe('hunter2');
  });
});
