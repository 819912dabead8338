import { describe, expect, it } from 'vitest';
import { brokerProperties, propertiesText } from './broker-properties.ts';

const ports = (count: number) =>
  new Map(
    Array.from({ length: count }, (_, index) => [
      index + 1,
      { client: 100 + index, broker: 200 + index, controller: 300 + index },
    ]),
  );
const advertised = { host: 'proxy', port: 9 };

describe('the properties of a Kafka node', () => {
  it('let one broker acknowledge alone, and three only by two', () => {
    const one = brokerProperties({
      nodeId: 1,
      ports: ports(1),
      advertised,
      logDir: '/d',
      settings: {},
    });
    const three = brokerProperties({
      nodeId: 3,
      ports: ports(3),
      advertised,
      logDir: '/d',
      settings: {},
    });
    expect([one['min.insync.replicas'], one['transaction.state.log.min.isr']]).toEqual(['1', '1']);
    expect([three['min.insync.replicas'], three['offsets.topic.replication.factor']]).toEqual([
      '2',
      '3',
    ]);
    expect(three['controller.quorum.voters']).toBe(
      '1@127.0.0.1:300,2@127.0.0.1:301,3@127.0.0.1:302',
    );
  });

  it('send clients to the advertised endpoint and brokers past it', () => {
    const node = brokerProperties({
      nodeId: 2,
      ports: ports(3),
      advertised,
      logDir: '/d',
      settings: {},
    });
    expect(node['advertised.listeners']).toBe('CLIENT://proxy:9,BROKER://127.0.0.1:201');
    expect(node['listeners']).toBe(
      'CLIENT://127.0.0.1:101,BROKER://127.0.0.1:201,CONTROLLER://127.0.0.1:301',
    );
  });

  it('give way to settings of the caller', () => {
    const node = brokerProperties({
      nodeId: 1,
      ports: ports(1),
      advertised,
      logDir: '/d',
      settings: { 'auto.create.topics.enable': 'true' },
    });
    expect(node['auto.create.topics.enable']).toBe('true');
  });

  it('are written so that Java reads back what was meant', () => {
    expect(propertiesText({ a: 'C:\\x', b: 'one\ntwo' })).toBe('a=C:\\\\x\nb=one\\ntwo\n');
  });
});
