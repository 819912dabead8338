import { beforeEach, describe, expect, it } from 'vitest';
import { redriveWorld } from '../../test-support/redrive-rig.ts';

const scope = { group: 'g', topic: 't' };

describe('a redrive of dead letters', () => {
  let world: ReturnType<typeof redriveWorld>;

  /** Events 1 to 3 of key `a` are dead letters, because the first failed. */
  async function parked() {
    const member = await world.member();
    world.broken.add('a 1');
    for (const version of [1, 2, 3]) world.write('a', version);
    world.write('b', 1);
    await member.read();
    expect(world.letters().map(({ reason }) => reason)).toEqual(['failed', 'parked', 'parked']);
    expect(world.handled).toEqual(['b 1']);
    return member;
  }
  const ofA = () => world.handled.filter((each) => each.startsWith('a'));
  const queue = { ...scope, key: 'a' };

  beforeEach(() => {
    world = redriveWorld();
  });

  it('hands a key’s letters to the handler in their order, frees the key, and what comes then is handled behind them', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    await member.round();
    world.write('a', 4);
    await member.read();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
    expect(await world.keys.list(scope)).toEqual(new Set());
    expect(world.book.progress(queue)).toMatchObject({ state: 'done', handled: 3 });
    expect(world.waiting('a')).toEqual([]);
    expect(member.failures).toEqual([]);
  });

  it.each(['redrive', 'discard'] as const)(
    'is carried out (%s) by the member with the key’s partition, if the topic was made again with fewer and has not that of the letters',
    async (verb) => {
      const member = await parked();
      world.broken.clear();
      world.ask('a', verb, { partition: 3 });
      await member.round();
      expect(world.book.progress(queue)).toMatchObject({ state: 'done' });
      expect(world.waiting('a')).toEqual([]);
      expect(await world.keys.list(scope)).toEqual(new Set());
      expect(ofA()).toEqual(verb === 'redrive' ? ['a 1', 'a 2', 'a 3'] : []);
    },
  );

  it('frees the keys of a partition that has stayed ours, though a member of before, which was late, took them for its own', async () => {
    const member = await parked();
    world.broken.clear();
    await world.keys.own?.(scope, 0);
    world.ask('a');
    await expect(member.round()).rejects.toThrow('another member');
    world.later(29_000);
    await expect(member.round()).rejects.toThrow('another member');
    world.later(2000);
    await member.round();
    expect(world.book.progress(queue)).toMatchObject({ state: 'done' });
    expect(await world.keys.list(scope)).toEqual(new Set());
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('does nothing that nobody has asked for, and nothing twice', async () => {
    const member = await parked();
    world.broken.clear();
    await member.round();
    expect(ofA()).toEqual([]);
    world.ask('a');
    await member.round();
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('handles what came behind the letters meanwhile before it frees the key', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    world.onRead = async (offset) => {
      if (offset !== 2n) return;
      world.write('a', 4);
      await member.read();
    };
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
    expect(await world.keys.list(scope)).toEqual(new Set(['a']));
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
    expect(world.letters()).toHaveLength(4);
    expect(await world.keys.list(scope)).toEqual(new Set());
  });

  it('stops at a letter that still cannot be handled: it waits, and so does what is behind it', async () => {
    const member = await parked();
    world.broken.clear();
    world.broken.add('a 2');
    world.ask('a');
    await member.round();
    await member.round();
    expect(ofA()).toEqual(['a 1']);
    expect(world.book.progress(queue)).toMatchObject({
      state: 'failed',
      failure: { code: 'E_BAD', message: 'cannot' },
    });
    expect(world.waiting('a')).toHaveLength(2);
    expect(await world.keys.list(scope)).toEqual(new Set(['a']));
    expect(world.letters()).toHaveLength(3);
    world.broken.clear();
    world.ask('a');
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('gives up what is to be discarded and no more; the rest can be redriven', async () => {
    const member = await parked();
    world.ask('a', 'discard', { through: 0n });
    await member.round();
    expect(world.book.progress(queue)).toMatchObject({ state: 'waiting', discarded: 1 });
    expect(await world.keys.list(scope)).toEqual(new Set(['a']));
    world.ask('a');
    await member.round();
    expect(ofA()).toEqual(['a 2', 'a 3']);
    expect(await world.keys.list(scope)).toEqual(new Set());
  });

  it('frees a key whose letters are all given up', async () => {
    const member = await parked();
    world.ask('a', 'discard');
    await member.round();
    world.write('a', 4);
    await member.read();
    expect(ofA()).toEqual(['a 4']);
  });

  it('takes effect when the consumer starts again', async () => {
    await parked();
    world.broken.clear();
    world.ask('a');
    const next = await world.member(4);
    await next.read();
    await next.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('is done once when two people ask for it', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    world.ask('a');
    await member.round();
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('does not hand out a letter again that comes again behind a later one', async () => {
    // The first process dies before it commits: 2 and 3 go to the dead letters once more.
    await parked();
    const again = await world.member(1);
    await again.read();
    expect(world.letters().map(({ record }) => record.offset)).toEqual([0n, 1n, 2n, 1n, 2n]);
    world.broken.clear();
    world.ask('a');
    await again.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
    expect(world.waiting('a')).toEqual([]);
  });

  it('hands a queue that was written twice out once, also if the process dies behind it', async () => {
    // The first process dies before it commits anything: all three go to the dead letters once more.
    await parked();
    const again = await world.member(0);
    await again.read();
    expect(world.letters()).toHaveLength(6);
    world.broken.clear();
    world.ask('a');
    world.onStep = (what) => {
      if (what === 'release') throw new Error('killed');
    };
    await expect(again.round()).rejects.toThrow('killed');
    world.onStep = () => undefined;
    const next = await world.member(4);
    await next.read();
    await next.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
    expect(world.waiting('a')).toEqual([]);
  });

  it('gives up no letter that waits before one that was written twice', async () => {
    await parked();
    const again = await world.member(0);
    await again.read();
    world.ask('a', 'discard', { through: 0n });
    await again.round();
    expect(world.waiting('a').map(({ place }) => Number(place.offset))).toEqual([1, 2, 3, 4, 5]);
    world.broken.clear();
    world.ask('a');
    await again.round();
    expect(ofA()).toEqual(['a 2', 'a 3']);
  });

  it('does not hand out what was given up, and was written twice', async () => {
    await parked();
    const again = await world.member(0);
    await again.read();
    world.broken.clear();
    world.ask('a', 'discard', { through: 2n });
    await again.round();
    world.ask('a');
    await again.round();
    expect(ofA()).toEqual([]);
    expect(world.waiting('a')).toEqual([]);
  });

  it('hands out an older event again that failed again since its key was freed: somebody has set the group back', async () => {
    const member = await parked();
    world.ask('a', 'discard');
    await member.round();
    const again = await world.member(0);
    await again.read();
    world.broken.clear();
    world.ask('a');
    await again.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('waits for the commit of what became dead letters: until then they may come again', async () => {
    let mayCommit = false;
    const first = await world.member(0, { mayCommit: () => mayCommit });
    world.broken.add('a 1');
    for (const version of [1, 2, 3]) world.write('a', version);
    await first.read();
    world.broken.clear();
    world.ask('a');
    await first.round();
    expect(ofA()).toEqual([]);
    mayCommit = true;
    await first.read();
    await first.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('does what is asked for last, also if it is asked while letters are handed out', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    world.onStep = (what) => {
      if (what !== 'handled a 1') return;
      world.ask('a', 'discard');
      world.later(1_000);
    };
    await member.round();
    await member.round();
    expect(ofA()).toEqual(['a 1']);
    expect(world.book.progress(queue)).toMatchObject({ state: 'done', discarded: 2 });
  });

  it('does not hand a letter out again whose handling the journal did not take', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    let fails = 3;
    world.onStep = (what) => {
      if (what !== 'tell running' || !world.handled.includes('a 1') || fails === 0) return;
      fails -= 1;
      throw new Error('the journal is away');
    };
    for (let round = 0; round < 4; round += 1) await member.round().catch(() => undefined);
    expect(fails).toBe(0);
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
    expect(world.book.progress(queue)).toMatchObject({ state: 'done', handled: 3 });
  });

  it('waits for what comes again from the topic, so that nothing is handled behind a later event of its key', async () => {
    // The first process has handled 1, could not handle 2, and dies before it commits.
    const first = await world.member();
    world.broken.add('a 2');
    for (const version of [1, 2, 3]) world.write('a', version);
    await first.read();
    world.broken.clear();
    world.ask('a');
    const second = await world.member(0);
    await second.round();
    expect(ofA()).toEqual(['a 1']);
    await second.read();
    for (let round = 0; round < 3; round += 1) await second.round();
    // 1 and 2 again, as they come; then the letters.
    expect(ofA()).toEqual(['a 1', 'a 1', 'a 2', 'a 2', 'a 3']);
    expect(world.waiting('a')).toEqual([]);
    expect(await world.keys.list(scope)).toEqual(new Set());
  });

  it('frees no key of a partition that another member has by now: events wait there behind the letters', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    // Suspended here, while its session ends: the successor is given the partition.
    world.onRelease = async () => world.keys.own?.(scope, 0);
    await expect(member.round()).rejects.toMatchObject({ code: 'DEAD_LETTER_FAILED' });
    expect(await world.keys.list(scope)).toEqual(new Set(['a']));
    expect(world.book.open()).toHaveLength(1);
  });

  it('does nothing for a partition that is another member’s', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    member.dispatcher.lose([{ topic: 't', partition: 0 }]);
    await member.round();
    expect(ofA()).toEqual([]);
  });

  it('waits while the subscription is paused', async () => {
    const member = await parked();
    world.broken.clear();
    world.ask('a');
    const { dispatcher } = member;
    // Also where it is paused while a letter's turn is waited for.
    dispatcher.pause([{ topic: 't', partition: 0 }]);
    await member.round();
    dispatcher.resume();
    const round = member.round();
    await Promise.resolve();
    dispatcher.pause();
    await round;
    dispatcher.resume();
    // Or while the journal is told that it is about to be handed out.
    world.onStep = (what) => {
      if (what === 'tell running') dispatcher.pause();
    };
    await member.round();
    world.onStep = () => undefined;
    expect(ofA()).toEqual([]);
    dispatcher.resume();
    await member.round();
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 3']);
  });

  it('gives a letter up that ends each process which is handed it', async () => {
    await parked();
    world.broken.clear();
    world.ask('a');
    for (let life = 0; life < 4; life += 1) {
      const member = await world.member(4);
      await member.read();
      // Nothing is written after it.
      let isDead = false;
      world.onStep = (what) => {
        if (what === 'handled a 2') isDead = true;
        if (isDead) throw new Error('killed');
      };
      await member.round().catch(() => undefined);
    }
    expect(ofA()).toEqual(['a 1', 'a 2', 'a 2', 'a 2']);
    expect(world.book.progress(queue)).toMatchObject({
      state: 'failed',
      failure: { code: 'HANDLER_FAILED' },
    });
    expect(world.book.progress(queue)?.failure?.message).toContain('3 times');
  });

  it('repeats one letter at the most, and loses and reorders none, whenever the process dies', async () => {
    for (let at = 1; ; at += 1) {
      world = redriveWorld();
      await parked();
      world.broken.clear();
      world.ask('a');
      let steps = 0;
      world.onStep = () => {
        steps += 1;
        if (steps >= at) throw new Error('killed');
      };
      const first = await world.member(4);
      await first.read();
      await first.round().catch(() => undefined);
      const died = steps >= at;
      world.onStep = () => undefined;
      const second = await world.member(4);
      await second.read();
      await second.round();
      world.write('a', 4);
      await second.read();
      const seen = ofA();
      expect([...new Set(seen)], `dies at step ${at}`).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
      expect(seen.toSorted(), `dies at step ${at}`).toEqual(seen);
      expect(seen.length, `dies at step ${at}`).toBeLessThanOrEqual(5);
      expect(await world.keys.list(scope)).toEqual(new Set());
      if (!died) {
        expect(at).toBeGreaterThan(8);
        return;
      }
    }
  });
});
