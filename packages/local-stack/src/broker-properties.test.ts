import { describe, expect, it } from 'vitest';
import { brokerProperties, environmentName, propertiesText } from './broker-properties.ts';
import { local, localListeners } from './processes/kafka/local-listeners.ts';

const voters = (count: number) =>
  new Map(Array.from({ length: count }, (_, index) => [index + 1, local(301 + index)]));
const { listeners } = localListeners(
  { client: 102, broker: 202, controller: 302 },
  { host: 'proxy', port: 9 },
);
const node = (count: number, settings: Record<string, string> = {}) =>
  brokerProperties({ nodeId: 1, voters: voters(count), listeners, logDir: '/d', settings });

describe('the properties of a Kafka node', () => {
  it('let one broker acknowledge alone, and three only by two', () => {
    expect(node(1)).toMatchObject({
      'min.insync.replicas': '1',
      'transaction.state.log.min.isr': '1',
      'offsets.topic.replication.factor': '1',
    });
    expect(node(3)).toMatchObject({
      'min.insync.replicas': '2',
      'transaction.state.log.min.isr': '2',
      'offsets.topic.replication.factor': '3',
      'controller.quorum.voters': '1@127.0.0.1:301,2@127.0.0.1:302,3@127.0.0.1:303',
    });
  });

  it('send clients to the advertised endpoint and brokers past it', () => {
    expect(node(3)).toMatchObject({
      listeners: 'CLIENT://127.0.0.1:102,BROKER://127.0.0.1:202,CONTROLLER://127.0.0.1:302',
      'advertised.listeners': 'CLIENT://proxy:9,BROKER://127.0.0.1:202',
      'inter.broker.listener.name': 'BROKER',
    });
  });

  it('give way to settings of the caller', () => {
    expect(node(1)['auto.create.topics.enable']).toBe('false');
    expect(node(1, { 'auto.create.topics.enable': 'true' })['auto.create.topics.enable']).toBe(
      'true',
    );
  });

  it('are written so that Java reads back what was meant', () => {
    expect(propertiesText({ a: 'C:\\x', b: 'one\ntwo' })).toBe('a=C:\\\\x\nb=one\\ntwo\n');
  });

  it('have names that the image reads from the environment', () => {
    expect(environmentName('log.cleaner.dedupe.buffer.size')).toBe(
      'KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE',
    );
    expect(environmentName('listener.name.sasl_plain.scram-sha')).toBe(
      'KAFKA_LISTENER_NAME_SASL__PLAIN_SCRAM___SHA',
    );
  });
});
