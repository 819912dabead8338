import { describe, expect, it } from 'vitest';
import { judgeAcknowledged } from './judge-progress.ts';

describe('what the slot has acknowledged', () => {
  const changes = new Set(['a', 'b']);
  const states = new Set(['a', 'b']);

  it('is sound where each of it is in its topics, and the rest is kept', () => {
    expect(judgeAcknowledged(['a', 'b', 'c'], new Set(['c']), [changes, states])).toMatchObject({
      promise: 'I6',
      holds: true,
    });
  });

  it('is not where an event is neither kept nor in one of its topics', () => {
    const judgement = judgeAcknowledged(['a', 'b', 'c'], new Set(), [
      new Set(['a', 'b', 'c']),
      states,
    ]);
    expect(judgement).toMatchObject({ promise: 'I6', holds: false });
    expect(judgement.found).toContain('c');
  });
});
