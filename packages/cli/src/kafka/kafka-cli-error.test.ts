import { expect, test } from 'vitest';
import { CliError } from '../exit-codes.ts';
import { kafkaCliError } from './kafka-cli-error.ts';

const named = (name: string, message: string, over: object = {}) =>
  Object.assign(new Error(message), { name }, over);
const told = (thrown: unknown) => {
  const error = kafkaCliError(thrown, 'topic x', ['kafka:9092']);
  if (!(error instanceof CliError)) throw error;
  return [error.code, error.exitCode, error.message];
};

test.each<[unknown, string, number, string]>([
  [named('KafkaJSConnectionError', 'connect ECONNREFUSED'), 'KAFKA_UNAVAILABLE', 5, 'kafka:9092'],
  [named('KafkaJSRequestTimeoutError', 'timed out'), 'KAFKA_UNAVAILABLE', 5, 'advertised'],
  [
    named('KafkaJSNumberOfRetriesExceeded', 'x', {
      cause: named('KafkaJSConnectionError', 'refused'),
    }),
    ...(['KAFKA_UNAVAILABLE', 5, 'does not answer'] as const),
  ],
  [named('KafkaJSSASLAuthenticationError', 'bad'), 'KAFKA_AUTH_FAILED', 5, 'KAFKA_SASL_MECHANISM'],
  [
    named('KafkaJSConnectionError', 'self-signed certificate in chain'),
    ...(['KAFKA_AUTH_FAILED', 5, 'KAFKA_TLS_CA'] as const),
  ],
  [
    named('KafkaJSProtocolError', 'no', { type: 'UNKNOWN_TOPIC_OR_PARTITION' }),
    ...(['TOPIC_MISSING', 2, 'topic x does not exist'] as const),
  ],
  [
    named('KafkaJSProtocolError', 'no', { type: 'GROUP_AUTHORIZATION_FAILED' }),
    ...(['KAFKA_FORBIDDEN', 5, 'GROUP_AUTHORIZATION_FAILED'] as const),
  ],
  [
    named('KafkaJSProtocolError', 'odd', { type: 'POLICY_VIOLATION' }),
    ...(['KAFKA_FAILED', 1, 'POLICY_VIOLATION: odd'] as const),
  ],
  ['text', 'KAFKA_FAILED', 1, 'text'],
])('%s is told as an exit code and a sentence', (thrown, code, exitCode, message) => {
  expect(told(thrown)).toEqual([code, exitCode, expect.stringContaining(message)]);
});

test('what is not of Kafka stays as it is', () => {
  const ours = new CliError('OURS', 'said already');
  expect(kafkaCliError(ours, 'x', [])).toBe(ours);
  const postgres = named('error', 'relation does not exist', { code: '42P01', severity: 'ERROR' });
  expect(kafkaCliError(postgres, 'x', [])).toBe(postgres);
});
