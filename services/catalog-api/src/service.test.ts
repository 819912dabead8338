import { quietLogger } from '@outbound/service-kit';
import { describe, expect, it } from 'vitest';
import { apiConfig } from './config.ts';
import { startPeriodic } from './periodic.ts';
import { isLoopback } from './loopback.ts';

describe('the address', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.example.com', false],
  ])('%s is reached from this machine only: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });

  it('is loopback unless somebody decides otherwise', () => {
    const config = apiConfig.parse({ databaseUrl: 'postgres://u:p@h/d', auth: 'off' });
    expect(isLoopback(config.host) && isLoopback(config.adminHost)).toBe(true);
  });
});

describe('housekeeping', () => {
  it('goes on after a failure, never overlaps, and stopping waits for the piece under way', async () => {
    let running = 0;
    let runs = 0;
    let proceed = (): void => undefined;
    const third = new Promise<void>((resolve) => (proceed = resolve));
    const periodic = startPeriodic(1, quietLogger(), 'test', async () => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      if (++runs === 1) throw new Error('once');
      if (runs === 3) proceed();
    });
    await third;
    await periodic.stop();
    expect(running).toBe(0);
  });
});
