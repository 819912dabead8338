import { expect, it } from 'vitest';
import { redriveWorld } from '../../test-support/redrive-rig.ts';

it('hands out no letter behind a later one that another member handled, which had the partition in between', async () => {
  const world = redriveWorld();
  const member = await world.member();
  world.broken.add('a 1');
  for (const version of [1, 2, 3]) world.write('a', version);
  world.write('b', 1);
  await member.read();
  world.broken.clear();
  world.ask('a');
  let isOver = false;
  world.onRead = async (offset) => {
    if (offset !== 1n || isOver) return;
    isOver = true;
    const at = [{ topic: 't', partition: 0 }];
    member.dispatcher.lose(at);
    const other = await world.member(4);
    await other.read();
    await other.round();
    other.dispatcher.lose(at);
    member.assign(4);
    await member.read();
  };
  await member.round().catch(() => undefined);
  await member.round();
  expect(isOver).toBe(true);
  expect(world.handled).toEqual(['b 1', 'a 1', 'a 2', 'a 3']);
  expect(world.book.progress({ group: 'g', topic: 't', key: 'a' })).toMatchObject({
    ...{ state: 'done', handled: 3 },
  });
});

it('does not say of what another member has carried out that it failed, when it comes back and says what it could not say before', async () => {
  const world = redriveWorld();
  const member = await world.member();
  world.broken.add('a 1');
  for (const version of [1, 2, 3]) world.write('a', version);
  await member.read();
  world.ask('a');
  world.onStep = (what) => {
    if (what === 'tell failed') throw new Error('cut off');
  };
  await expect(member.round()).rejects.toThrow('cut off');
  member.dispatcher.lose([{ topic: 't', partition: 0 }]);
  world.onStep = () => undefined;
  world.broken.clear();
  const other = await world.member(3);
  await other.read();
  await other.round();
  const done = world.book.progress({ group: 'g', topic: 't', key: 'a' });
  expect(done).toMatchObject({ state: 'done', handled: 3 });
  await member.round();
  expect(world.book.progress({ group: 'g', topic: 't', key: 'a' })).toEqual(done);
});

it.each(['paused', 'taken away'] as const)(
  'does not count for a try what was never handed out, since the partition was %s while the journal was told of it',
  async (how) => {
    const world = redriveWorld();
    const member = await world.member();
    world.broken.add('a 1');
    for (const version of [1, 2, 3]) world.write('a', version);
    await member.read();
    world.broken.clear();
    world.ask('a');
    for (let time = 0; time < 4; time += 1) {
      let isOver = false;
      world.onStep = (what) => {
        if (isOver || what !== 'tell running') return;
        isOver = true;
        if (how === 'paused') member.dispatcher.pause();
        else member.dispatcher.lose([{ topic: 't', partition: 0 }]);
      };
      await member.round();
      expect(isOver).toBe(true);
      if (how === 'paused') member.dispatcher.resume();
      else member.assign(3);
      await member.read();
    }
    expect(world.handled).toEqual([]);
    world.onStep = () => undefined;
    await member.round();
    expect(world.handled).toEqual(['a 1', 'a 2', 'a 3']);
  },
);
