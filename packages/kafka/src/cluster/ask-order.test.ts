import { expect, it } from 'vitest';
import { AskOrder, type Askable } from './ask-order.ts';

const broker = (address: string, over: Partial<Askable> = {}): Askable => ({
  address,
  failedAtMs: undefined,
  unansweredSinceMs: undefined,
  ...over,
});

/** Who is asked first, question after question. */
function asked(order: AskOrder, kind: string, brokers: readonly Askable[], nowMs = 0): string {
  const [first] = order.inOrder(kind, brokers, nowMs);
  if (!first) return '';
  order.note(kind, first);
  return first.address;
}

it('asks each broker in turn, although the first always answers', () => {
  const order = new AskOrder();
  const brokers = ['a', 'b', 'c'].map((address) => broker(address));
  expect(Array.from({ length: 6 }, () => asked(order, 'Metadata', brokers))).toEqual([
    ...['a', 'b', 'c'],
    ...['a', 'b', 'c'],
  ]);
});

it('lets two kinds of questions that alternate both reach every broker', () => {
  const order = new AskOrder();
  const brokers = [broker('a'), broker('b')];
  const metadata: string[] = [];
  const coordinator: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    metadata.push(asked(order, 'Metadata', brokers));
    coordinator.push(asked(order, 'GroupCoordinator', brokers));
  }
  expect([metadata, coordinator]).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

it('puts a broker that has just failed, or is silent, behind the others', () => {
  const order = new AskOrder();
  const brokers = [
    broker('failed', { failedAtMs: 500 }),
    broker('silent', { unansweredSinceMs: 0 }),
    broker('busy', { unansweredSinceMs: 900 }),
    broker('fine'),
  ];
  expect(order.inOrder('Metadata', brokers, 1000).map(({ address }) => address)).toEqual([
    ...['busy', 'fine'],
    ...['failed', 'silent'],
  ]);
});

it('gives a broker that failed its turn again: the ones that answer may be cut off from the cluster', () => {
  const order = new AskOrder();
  const brokers = [broker('stale'), broker('restarted', { failedAtMs: 0 })];
  expect(asked(order, 'Metadata', brokers, 1000)).toBe('stale');
  expect(asked(order, 'Metadata', brokers, 2000)).toBe('stale');
  expect(asked(order, 'Metadata', brokers, 10_000)).toBe('restarted');
});
