import { describe, expect, it } from 'vitest';
import { outcomeOf, subscriptionRig } from '../../test-support/subscription-rig.ts';
import { gate } from '../../test-support/test-groups.ts';

/** A subscription with one handler that runs until the gate is opened. */
async function running(stopTimeoutMs?: number) {
  const { opened, open } = gate();
  const rig = subscriptionRig(() => opened, stopTimeoutMs === undefined ? {} : { stopTimeoutMs });
  await rig.append('a', 'b');
  const subscription = await rig.start();
  const done = outcomeOf(subscription.done);
  return { ...rig, subscription, done, open };
}

type Running = Awaited<ReturnType<typeof running>>;

describe('a stop', () => {
  it.each([
    [
      'was taken away',
      async ({ group, clock }: Running) => {
        group.forget();
        await clock.advance(5_000);
      },
    ],
    [
      'is lost meanwhile, since the coordinator is silent',
      async ({ group, clock }: Running) => {
        group.answerWith = 'silence';
        await clock.advance(25_000);
      },
    ],
  ])('waits for handlers of a partition that %s', async (_how, lose) => {
    const rig = await running();
    await lose(rig);
    const stop = outcomeOf(rig.subscription.stop());
    await rig.clock.advance(20_000);
    expect(stop.state).toBe('open');
    rig.open();
    await rig.clock.advance(60_000);
    expect(stop.state).toBe('resolved');
    expect(rig.done.state).toBe('resolved');
  });

  it('tells of handlers of a partition that was taken away which do not end in time', async () => {
    const rig = await running(20_000);
    rig.group.forget();
    await rig.clock.advance(5_000);
    const stop = outcomeOf(rig.subscription.stop());
    await rig.clock.advance(60_000);
    expect(stop).toMatchObject({
      state: 'rejected',
      error: { code: 'STOP_TIMEOUT', message: expect.stringMatching(/^2 handlers/) as string },
    });
    rig.open();
  });

  it('counts each handler once that does not end in time', async () => {
    const rig = await running(20_000);
    const stop = outcomeOf(rig.subscription.stop());
    await rig.clock.advance(60_000);
    expect(stop).toMatchObject({
      state: 'rejected',
      error: { code: 'STOP_TIMEOUT', message: expect.stringMatching(/^2 handlers/) as string },
    });
    rig.open();
  });
});
