import { createRequire } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { quietIdleTimer } from './kafkajs-idle-timer.ts';

interface Queue {
  throttledUntil: number;
  push(request: object): void;
  fulfillRequest(answer: object): void;
  destroy(): void;
}
const load = createRequire(import.meta.url);
const RequestQueue = load('kafkajs/src/network/requestQueue') as new (options: object) => Queue;
const ignore = () => undefined;

function queueOf(clientId: string): Queue {
  return new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId,
    broker: 'b',
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
}

const request = (correlationId: number, sent: number[]) => ({
  entry: { correlationId, apiName: 'x', apiKey: 0, apiVersion: 0, resolve: ignore, reject: ignore },
  expectResponse: true,
  sendRequest: () => sent.push(correlationId),
});

/** Timers that fire within a second after one request was answered. */
function wakeUps(queue: Queue): number {
  vi.useFakeTimers();
  try {
    queue.push(request(1, []));
    queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
    let count = 0;
    for (let ms = 0; ms < 1000; ms += 1) {
      count += Math.min(1, vi.getTimerCount());
      vi.advanceTimersByTime(1);
    }
    return count;
  } finally {
    queue.destroy();
    vi.useRealTimers();
  }
}

describe('quietIdleTimer (trap 3.2-10)', () => {
  it('lets an idle connection of the client sleep, where kafkajs wakes up every millisecond', () => {
    quietIdleTimer('quiet-client');
    expect(wakeUps(queueOf('quiet-client'))).toBe(0);
    expect(wakeUps(queueOf('another-client'))).toBeGreaterThan(500);
  });

  it('still sends what a throttled broker held back', () => {
    quietIdleTimer('quiet-client');
    vi.useFakeTimers();
    const queue = queueOf('quiet-client');
    try {
      const sent: number[] = [];
      queue.throttledUntil = Date.now() + 200;
      queue.push(request(1, sent));
      vi.advanceTimersByTime(150);
      expect(sent).toEqual([]);
      vi.advanceTimersByTime(100);
      expect(sent).toEqual([1]);
    } finally {
      queue.destroy();
      vi.useRealTimers();
    }
  });

  it('refuses any version but the proven one', async () => {
    vi.resetModules();
    const fresh = await import('./kafkajs-idle-timer.ts');
    expect(() => fresh.quietIdleTimer('c', () => ({ version: '2.2.5' }))).toThrow(
      'kafkajs is 2.2.5',
    );
  });
});
