import { describe, expect, it } from 'vitest';
import { at, event, here, Story } from './checker-story.ts';

describe('the checker of readers is content with', () => {
  it('events handled in order and then committed, a part again by the next owner', () => {
    const story = new Story(['x:1', 'y:1', 'x:2', 'y:2']);
    story.handle('a', 'x:1', 'y:1', 'x:2').commit('a', 1).handOver();
    story.handle('b', 'y:1', 'x:2', 'y:2').commit('b', 4);
    expect(story.failures).toEqual([]);
    expect(story.checker.missing()).toEqual([]);
    expect(story.checker.repeatedCount).toBe(2);
  });

  it('keys side by side, and a batch with several events of one key', () => {
    const story = new Story(['x:1', 'y:1', 'x:2']);
    story.begin('a', 'y:1').begin('a', 'x:1', 'x:2');
    for (const eid of ['y:1', 'x:1', 'x:2']) story.checker.handled('a', eid);
    expect(story.failures).toEqual([]);
  });

  it('a batch that failed and is tried one by one', () => {
    const story = new Story(['x:1', 'x:2']);
    story.begin('a', 'x:1', 'x:2');
    for (const eid of ['x:1', 'x:2']) story.checker.failed('a', eid);
    expect(story.handle('a', 'x:1', 'x:2').failures).toEqual([]);
  });

  it('what an expired member had begun', () => {
    const story = new Story(['x:1']);
    story.begin('a', 'x:1');
    story.checker.thrownOut('a');
    story.checker.assigned('b', [here], 0);
    story.owner = 'b';
    expect(story.handle('b', 'x:1').failures).toEqual([]);
  });

  it('a commit over what was aborted, or removed before anybody could have it', () => {
    const story = new Story([]);
    const { log } = story.partition;
    log.append([event('x:1')], at, { id: 5, isTransactional: true });
    log.endTransaction(5, 'abort', at);
    log.append([event('x:1')], at);
    story.replicate();
    log.removeBefore(3);
    story.commit('a', 0).commit('a', 3);
    expect(story.failures).toEqual([]);
    expect([...story.checker.progress.overtaken]).toEqual(['x:1']);
  });
});

describe('the checker of readers finds', () => {
  const found = (story: Story): string => story.failures.join('\n');

  it('an unhandled event that was committed over', () => {
    expect(found(new Story(['x:1', 'y:1']).handle('a', 'y:1').commit('a', 2))).toContain(
      'over the unhandled t#1/0 offset 0',
    );
  });

  it('a commit over an open transaction', () => {
    const story = new Story([]);
    story.partition.log.append([event('x:1')], at, { id: 5, isTransactional: true });
    story.replicate();
    expect(found(story.commit('a', 1))).toContain('open');
  });

  it('a commit behind the end', () => {
    expect(found(new Story(['x:1']).handle('a', 'x:1').commit('a', 2))).toContain('behind its end');
  });

  it('a commit of somebody else’s partition', () => {
    const story = new Story(['x:1']).handle('a', 'x:1').handOver();
    expect(found(story.commit('a', 1))).toContain("which is b's");
  });

  it('a lower commit after a higher one', () => {
    const story = new Story(['x:1', 'x:2']).handle('a', 'x:1', 'x:2').commit('a', 2);
    expect(found(story.commit('a', 1))).toContain('at 1 after 2');
  });

  it('a beginning that is not committed before the first event, where the group begins at the end', () => {
    expect(found(new Story(['x:1'], 'end').handle('a', 'x:1'))).toContain(
      "before the group's start was committed",
    );
  });

  it('an event of a partition that is not in the share, or not any more', () => {
    const story = new Story(['x:1']);
    expect(found(story.begin('b', 'x:1'))).toContain('after it was told that it is out');
    expect(found(new Story(['x:1']).handOver().begin('a', 'x:1'))).toContain('not in its share');
  });

  it('an event begun after the session has run out', () => {
    const story = new Story(['x:1']);
    story.nowMs = 1001;
    expect(found(story.begin('a', 'x:1'))).toContain('with a session of 1000 ms');
    const alive = new Story(['x:1']);
    alive.nowMs = 1001;
    alive.checker.alive('a', 900);
    expect(found(alive.begin('a', 'x:1'))).toBe('');
  });

  it('two members in one key', () => {
    const story = new Story(['x:1', 'x:2']).begin('a', 'x:1').handOver();
    expect(found(story.begin('b', 'x:1'))).toContain('while a handles offset 0');
    const released = new Story(['x:1', 'x:2']).begin('a', 'x:1').handOver();
    released.checker.released('a', 'x:1');
    expect(found(released.begin('b', 'x:1'))).toBe('');
  });

  it('one member that handles a key twice at a time', () => {
    expect(found(new Story(['x:1', 'x:2']).begin('a', 'x:1').begin('a', 'x:2'))).toContain(
      'while it handles offset 0',
    );
  });

  it('a later event of a key before an earlier one was handled', () => {
    expect(found(new Story(['x:1', 'x:2']).begin('a', 'x:2'))).toContain(
      'before offset 0 was handled',
    );
  });

  it('a step back without another assignment', () => {
    const story = new Story(['x:1', 'x:2']).handle('a', 'x:1', 'x:2');
    expect(found(story.begin('a', 'x:1'))).toContain('went back');
    const again = new Story(['x:1', 'x:2']).handle('a', 'x:1', 'x:2');
    again.checker.assigned('a', [here], 0);
    expect(found(again.begin('a', 'x:1'))).toBe('');
  });

  it('an aborted event, one of an open transaction, and one that never was', () => {
    const story = new Story([]);
    const { log } = story.partition;
    log.append([event('x:1')], at, { id: 5, isTransactional: true });
    story.replicate();
    expect(found(story.handle('a', 'x:1'))).toContain('is open');
    log.endTransaction(5, 'abort', at);
    expect(found(story.begin('a', 'x:1'))).toContain('is aborted');
    expect(found(story.begin('a', 'z:9'))).toContain('which no log has');
  });

  it('what is left in the end', () => {
    const story = new Story(['x:1', 'x:2']).handle('a', 'x:1');
    expect(story.checker.missing()).toEqual(['t#1/0 offset 1']);
  });
});
