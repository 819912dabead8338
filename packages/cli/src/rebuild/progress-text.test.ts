import { describe, expect, it } from 'vitest';
import { progressText } from './progress-text.ts';

const progress = {
  recordCount: 123_456,
  byteCount: 1,
  share: 0.129,
  recordsPerSecond: 45_678.4,
  bytesPerSecond: 3 * 1024 * 1024,
  secondsLeft: 12.3,
};

describe('progress in one line', () => {
  it('says share, records, rates and the time left', () => {
    expect(progressText(progress)).toBe(
      '12 % · 123,456 records · 45,678/s · 3.0 MiB/s · 13 s left',
    );
  });

  it('does not make up what is not known', () => {
    expect(
      progressText({
        ...progress,
        share: 0,
        recordsPerSecond: 0,
        bytesPerSecond: 0,
        secondsLeft: undefined,
      }),
    ).toBe('0 % · 123,456 records · time left unknown');
  });

  it('is done at the end', () => {
    expect(progressText({ ...progress, share: 1, secondsLeft: 0 })).toContain('100 % ·');
    expect(progressText({ ...progress, share: 1, secondsLeft: 0 })).toMatch(/done$/);
  });
});
