import { KafkaError, type KafkaErrorCode } from '@outbound/kafka';
import { expect, test } from 'vitest';
import { CliError } from '../exit-codes.ts';
import { kafkaCliError } from './kafka-cli-error.ts';

test.each<[KafkaErrorCode, string, string, number, string]>([
  ['KAFKA_UNAVAILABLE', 'connect ECONNREFUSED', 'KAFKA_UNAVAILABLE', 5, 'kafka:9092'],
  ['KAFKA_PARTITION_UNAVAILABLE', 'no leader', 'KAFKA_UNAVAILABLE', 5, 'advertised'],
  ['KAFKA_AUTH_FAILED', 'bad', 'KAFKA_AUTH_FAILED', 5, 'KAFKA_SASL_MECHANISM'],
  ['KAFKA_AUTH_FAILED', 'self-signed certificate', 'KAFKA_AUTH_FAILED', 5, 'KAFKA_TLS_CA'],
  ['KAFKA_TOPIC_MISSING', 'no', 'TOPIC_MISSING', 2, 'topic x does not exist'],
  ['KAFKA_FORBIDDEN', 'GROUP_AUTHORIZATION_FAILED', 'KAFKA_FORBIDDEN', 5, 'GROUP_AUTHORIZATION'],
  ['KAFKA_PARTITION_MISSING', 'no partition 7', 'PARTITION_MISSING', 2, 'no partition 7'],
  ['KAFKA_GROUP_NOT_EMPTY', 'it has members', 'GROUP_NOT_EMPTY', 6, 'it has members'],
  ['KAFKA_REJECTED', 'POLICY_VIOLATION', 'KAFKA_FAILED', 1, 'topic x: POLICY_VIOLATION'],
])('%s (%s) is told as an exit code and a sentence', (code, why, cliCode, exitCode, sentence) => {
  const error = kafkaCliError(new KafkaError(code, why), 'topic x', ['kafka:9092']);
  if (!(error instanceof CliError)) throw error;
  expect([error.code, error.exitCode, error.message]).toEqual([
    cliCode,
    exitCode,
    expect.stringContaining(sentence),
  ]);
});

test('what is not of Kafka stays as it is', () => {
  for (const error of [new CliError('OURS', 'said already'), new Error('relation is missing')])
    expect(kafkaCliError(error, 'x', [])).toBe(error);
});
