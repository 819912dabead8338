import { describe, expect, it } from 'vitest';
import { here, Story } from './checker-story.ts';
import { isPoison } from './readers-features.ts';

const found = (story: Story): string => story.failures.join('\n');

/** The handler fails, and the key is parked for the event by reader a. */
function fail(story: Story, eid: string): Story {
  story.begin('a', eid).checker.failed('a', eid);
  story.checker.deadLetters.parked(eid.split(':')[0] ?? '', eid);
  story.checker.deadLetters.told('a', [eid.split(':')[0] ?? '']);
  return story;
}

describe('the checker of dead letters', () => {
  it('is content with one that was taken before it is committed over, and later ones behind it', () => {
    const story = fail(new Story(['x:1', 'x:2', 'y:1']), 'x:1');
    story.checker.deadLetter('a', 'x:1', 'failed');
    story.checker.deadLetter('a', 'x:2', 'parked');
    story.handle('a', 'y:1').commit('a', 3);
    expect(found(story)).toBe('');
    expect(story.checker.missing()).toEqual([]);
    expect(story.checker.deadLetters.count).toBe(2);
  });

  it('finds one that was committed over and never taken', () => {
    expect(found(fail(new Story(['x:1']), 'x:1').commit('a', 1))).toContain('over the unhandled');
  });

  it('finds a later event of a parked key with a handler, unless its process cannot know', () => {
    const story = fail(new Story(['x:1', 'x:2']), 'x:1');
    story.checker.deadLetter('a', 'x:1', 'failed');
    expect(found(story.begin('a', 'x:2'))).toContain('R7 a began');
    const other = fail(new Story(['x:1', 'x:2']), 'x:1').handOver();
    other.checker.deadLetter('a', 'x:1', 'failed');
    expect(found(other.begin('b', 'x:2'))).toBe('');
  });

  it('finds a cause that is not true', () => {
    const story = new Story(['x:1', 'x:2']);
    story.checker.deadLetter('a', 'x:1', 'failed');
    expect(found(story)).toContain('failed, and no handler has');
    const behindItself = fail(new Story(['x:1']), 'x:1');
    behindItself.checker.deadLetter('a', 'x:1', 'parked');
    expect(found(behindItself)).toContain('is behind a dead letter');
  });

  it('finds what waits behind a dead letter that is not there, or is out of order', () => {
    const story = fail(new Story(['x:1', 'x:2', 'x:3']), 'x:1');
    story.checker.deadLetter('a', 'x:2', 'parked');
    expect(found(story)).toContain('before the dead letter of x:1');
    const disordered = fail(new Story(['x:1', 'x:2', 'x:3']), 'x:1');
    disordered.checker.deadLetter('a', 'x:1', 'failed');
    disordered.checker.deadLetter('a', 'x:3', 'parked');
    expect(found(disordered)).toContain('before offset 1 was dealt with');
  });

  it('takes the same events for poison every time, about as many as it is told', () => {
    const poisonous = Array.from({ length: 1000 }, (_, n) => `e${n}`).filter((eid) =>
      isPoison(eid, 0.1),
    );
    expect(poisonous.length).toBeGreaterThan(50);
    expect(poisonous.length).toBeLessThan(200);
    expect(isPoison('e1', 0)).toBe(false);
  });
});

describe('the checker of seeks and pauses', () => {
  const read = () => new Story(['x:1', 'x:2', 'x:3']).handle('a', 'x:1', 'x:2').commit('a', 2);

  it('is content with a seek back that hands out again, and a lower commit', () => {
    const story = read();
    story.checker.seeking('a', story.partition, 0).sought();
    expect(story.checker.missing()).toContain('a t/0 offset 0 again');
    story.commit('a', 0).handle('a', 'x:1', 'x:2', 'x:3').commit('a', 3);
    expect(found(story)).toBe('');
    expect(story.checker.missing()).toEqual([]);
  });

  it('finds a seek back that leaves something out', () => {
    const story = read();
    story.checker.seeking('a', story.partition, 0).sought();
    story.commit('a', 0).handle('a', 'x:2').commit('a', 2);
    expect(found(story)).toContain('R8 a commits t/0 at 2, over offset 0');
  });

  it('lets an older commit be sent again before that of the seek, and none after it', () => {
    const story = read();
    story.checker.seeking('a', story.partition, 0).sought();
    expect(found(story.commit('a', 2).commit('a', 0))).toBe('');
    expect(found(story.commit('a', 2))).toContain('R8');
  });

  it('lets the commit of a seek wait for a rebalance in which the partition stays', () => {
    const story = read();
    story.checker.seeking('a', story.partition, 0).sought();
    story.checker.assigned('a', [here], story.nowMs);
    expect(found(story.commit('a', 2).commit('a', 0))).toBe('');
    expect(found(story.commit('a', 1).commit('a', 0))).toContain('commits t/0 at 0 after 1');
  });

  it('lets no commit go back for a seek before the partition went away, or was lost, and came again', () => {
    for (const isLost of [true, false]) {
      const story = read();
      story.checker.seeking('a', story.partition, 0).sought();
      if (isLost) story.checker.toldOut('a');
      else story.checker.assigned('a', [], story.nowMs);
      story.checker.assigned('a', [here], story.nowMs);
      expect(found(story.commit('a', 2).commit('a', 0))).toContain('commits t/0 at 0 after 2');
    }
  });

  it('takes nothing for lost that a seek forward has passed over, unless it was refused', () => {
    const story = read();
    const { sought } = story.checker.seeking('a', story.partition, 3);
    sought();
    expect(found(story.commit('a', 3))).toBe('');
    const refused = read();
    refused.checker.seeking('a', refused.partition, 3).refused();
    expect(found(refused.commit('a', 3))).toContain('over the unhandled t#1/0 offset 2');
  });

  it('finds an event that is begun while its partition is paused, and not one that is tried again', () => {
    const story = new Story(['x:1', 'x:2']);
    story.begin('a', 'x:1').checker.failed('a', 'x:1');
    story.checker.operator.paused('a', story.partition, true);
    expect(found(story.handle('a', 'x:1'))).toBe('');
    expect(found(story.begin('a', 'x:2'))).toContain('whose partition is paused');
  });
});
