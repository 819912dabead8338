import { expect, it } from 'vitest';
import { subscriptionRig, topic } from '../../test-support/subscription-rig.ts';

it('a seek behind the end goes on at the end, and is no gap', async () => {
  const seen: (string | null)[] = [];
  const rig = subscriptionRig(({ key }) => void seen.push(key));
  await rig.append('a', 'b', 'c', 'd');
  const subscription = await rig.start();
  await subscription.seek({ topic, partition: 0 }, 100n);
  await rig.clock.advance(30_000);
  await rig.append('e');
  await rig.clock.advance(5_000);
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(subscription.counts.gaps).toBe(0);
  expect(rig.lines.filter((line) => line.includes('behind the end'))).toHaveLength(1);
  expect(rig.group.offsets.get(`${topic}/0`)?.offset).toBe(5n);
});
