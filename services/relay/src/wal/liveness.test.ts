import { describe, expect, it } from 'vitest';
import { judgeLiveness, livenessCheckMs } from './liveness.ts';

const state = { heardMs: 0, askedMs: undefined, isPaused: false, walSenderTimeoutMs: 60_000 };

describe('the watchdog', () => {
  it.each([
    ['lets a server be silent for one timeout', state, 59_999, 'alive'],
    ['then asks', state, 60_000, 'ask'],
    ['waits for the answer', { ...state, askedMs: 60_000 }, 119_999, 'alive'],
    ['gives it up after two', { ...state, askedMs: 60_000 }, 120_000, 'lost'],
    [
      'is calm when the answer came',
      { ...state, heardMs: 60_500, askedMs: 60_000 },
      120_000,
      'alive',
    ],
    [
      'asks again at the next silence',
      { ...state, heardMs: 60_500, askedMs: 60_000 },
      120_500,
      'ask',
    ],
    // A process that was stopped wakes up: the answer may be waiting in the socket.
    ['asks first after standing still for long', state, 900_000, 'ask'],
    ['and gives the answer time', { ...state, askedMs: 900_000 }, 929_999, 'alive'],
    ['but not for ever', { ...state, askedMs: 900_000 }, 930_000, 'lost'],
    [
      'concludes nothing while we do not read',
      { ...state, askedMs: 1, isPaused: true },
      1e9,
      'alive',
    ],
    // A server with timeout 0 never sends a keepalive on its own, and never ends a connection that is dead.
    ['asks a server without a timeout too', { ...state, walSenderTimeoutMs: 0 }, 60_000, 'ask'],
  ] as const)('%s', (_, given, nowMs, expected) => {
    expect(judgeLiveness(given, nowMs)).toBe(expected);
  });

  it('looks often enough, and not too often', () => {
    expect(livenessCheckMs(60_000)).toBe(1000);
    expect(livenessCheckMs(2000)).toBe(250);
    expect(livenessCheckMs(0)).toBe(1000);
  });
});
