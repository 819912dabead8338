import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gate } from '../../test-support/gate.ts';
import { keyed, manual, startDispatcher } from '../../test-support/dispatcher-rig.ts';

const at = { topic: 't', partition: 0 };

describe('Dispatcher.alone', () => {
  it('waits for what runs in the partition, begins nothing of it meanwhile, and lets it go on behind', async () => {
    const { deliver, out } = manual();
    const { take, dispatcher } = startDispatcher(deliver);
    take(0, keyed(0, 'a', 'b'));
    await turn();
    expect(out).toHaveLength(2);
    const { opened, open } = gate();
    let isAlone = false;
    const done = dispatcher.alone(at, async () => {
      isAlone = true;
      await opened;
      return 'done';
    });
    take(0, keyed(0, 'a', 'b', 'c').slice(2));
    take(1, keyed(1, 'd'));
    await turn();
    // The other partition flows.
    expect([isAlone, out.length]).toEqual([false, 3]);
    out[0]?.end();
    out[1]?.end();
    await turn();
    expect([isAlone, out.length]).toEqual([true, 3]);
    open();
    expect(await done).toBe('done');
    await turn();
    expect(out).toHaveLength(4);
  });

  it('is one of the handlers: no more than so many run at once', async () => {
    const { deliver, out } = manual();
    const { take, dispatcher } = startDispatcher(deliver, { concurrency: 1 });
    take(1, keyed(1, 'd'));
    await turn();
    let isAlone = false;
    const done = dispatcher.alone(at, () => {
      isAlone = true;
      return Promise.resolve();
    });
    await turn();
    expect(isAlone).toBe(false);
    out[0]?.end();
    await done;
    expect(isAlone).toBe(true);
  });

  it('is waited for when the partition goes, and not begun where it has gone', async () => {
    const { deliver } = manual();
    const { dispatcher, revoke } = startDispatcher(deliver);
    const { opened, open } = gate();
    const done = dispatcher.alone(at, async (life) => {
      await opened;
      return life.isAbandoned;
    });
    await turn();
    let isGone = false;
    const gone = revoke([0], 10_000).then(() => {
      isGone = true;
    });
    await turn();
    expect(isGone).toBe(false);
    open();
    await gone;
    expect(await done).toBe(false);
    const never = () => Promise.resolve('begun');
    expect(await dispatcher.alone(at, never)).toBeUndefined();
  });

  it('is not waited for in a partition that is paused: others have their turn', async () => {
    const { deliver, out } = manual();
    const { take, dispatcher } = startDispatcher(deliver);
    take(0, keyed(0, 'a'));
    await turn();
    const never = () => Promise.resolve('begun');
    const waiting = dispatcher.alone(at, never);
    await turn();
    dispatcher.pause([at]);
    expect(await waiting).toBeUndefined();
    expect(await dispatcher.alone(at, never)).toBeUndefined();
    dispatcher.resume();
    const goes = dispatcher.alone(at, never);
    dispatcher.lose([at]);
    expect(await goes).toBeUndefined();
    expect(out).toHaveLength(1);
  });

  it('holds the next life back until it has ended, and nobody waits for it longer than its life', async () => {
    const { deliver, out } = manual();
    const { take, dispatcher, assign } = startDispatcher(deliver);
    const { opened, open } = gate();
    const done = dispatcher.alone(at, () => opened);
    await turn();
    dispatcher.lose([at]);
    expect(await done).toBeUndefined();
    assign(0);
    take(0, keyed(0, 'a'));
    await turn();
    expect(out).toHaveLength(0);
    open();
    await turn();
    expect(out).toHaveLength(1);
  });

  it('leaves nothing behind at the life of its partition', async () => {
    const { deliver } = manual();
    const { dispatcher } = startDispatcher(deliver);
    const life = dispatcher.find(at)?.life;
    if (!life) throw new Error('no life');
    for (let run = 0; run < 5; run += 1) await dispatcher.alone(at, () => Promise.resolve());
    expect(getEventListeners(life.abandoned, 'abort')).toEqual([]);
    expect(getEventListeners(life.ending, 'abort')).toEqual([]);
  });
});
