import { describe, expect, it } from 'vitest';
import { cpuSeconds, peakResident, readProcessUsage } from './process-usage.ts';

describe('the usage of a process', () => {
  it('is read past a name with spaces and brackets', () => {
    const stat = '12 (a) b (c) S 1 12 12 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 11 0 900';
    expect(cpuSeconds(stat)).toBe(2);
  });

  it('is the highest memory and not the present one', () => {
    expect(peakResident('VmPeak:\t  900 kB\nVmHWM:\t  200 kB\nVmRSS:\t  100 kB\n')).toBe(204_800);
  });

  it.runIf(process.platform === 'linux')('of this process is more than nothing', async () => {
    const usage = await readProcessUsage(process.pid);
    expect(usage.peakResidentBytes).toBeGreaterThan(10 * 1024 * 1024);
    expect(usage.cpuSeconds).toBeGreaterThan(0);
  });

  it('is refused rather than guessed', () => {
    expect(() => peakResident('Name:\tkthreadd\n')).toThrow('no VmHWM');
    expect(() => cpuSeconds('1 (x) S')).toThrow('no CPU times');
  });
});
