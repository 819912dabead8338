import { expect, it } from 'vitest';
import { brokerAddress, KnownBrokers } from './known-brokers.ts';

const named = (...nodeIds: readonly number[]) =>
  nodeIds.map((nodeId) => ({ nodeId, host: `host-${nodeId}`, port: 9092 }));
const answers = () => false;
const fails = () => true;

it('keeps a broker that a description leaves out, as long as it answers itself', () => {
  const known = new KnownBrokers();
  known.learn(named(1, 2, 3), answers);
  known.learn(named(1), answers);
  expect([...known.addresses()]).toEqual(['host-1:9092', 'host-2:9092', 'host-3:9092']);
  expect(known.addressOf(3)).toBe('host-3:9092');
  expect(known.count).toBe(1);
});

it('forgets one that is left out and does not answer', () => {
  const known = new KnownBrokers();
  known.learn(named(1, 2), answers);
  known.learn(named(1), fails);
  expect(known.addressOf(2)).toBeUndefined();
  expect([...known.addresses()]).toEqual(['host-1:9092']);
});

it('keeps one that is named, whether it answers or not', () => {
  const known = new KnownBrokers();
  known.learn(named(1, 2), fails);
  known.learn(named(1, 2), fails);
  expect(known.addressOf(2)).toBe('host-2:9092');
});

it('forgets one whose address is that of another now', () => {
  const known = new KnownBrokers();
  known.learn([{ nodeId: 1, host: 'host', port: 9092 }], answers);
  known.learn([{ nodeId: 2, host: 'host', port: 9092 }], answers);
  expect(known.addressOf(1)).toBeUndefined();
  expect(known.addressOf(2)).toBe('host:9092');
});

it('writes an IPv6 address in brackets', () => {
  expect(brokerAddress('fe80::1', 9092)).toBe('[fe80::1]:9092');
});
