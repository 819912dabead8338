import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import {
  startTestGroups,
  versionsOf,
  type NoteEvent,
  type TestGroups,
} from '../../test-support/test-groups.ts';

const bytesPerSecond = 10_000;

let groups: TestGroups;
beforeAll(async () => {
  groups = await startTestGroups();
});
afterAll(async () => groups?.[Symbol.asyncDispose]());

it('reads on under a quota, loses nothing, and takes the throttle for no trouble', async () => {
  const { cluster } = groups;
  await cluster.tool('configs', [
    '--alter',
    ...['--add-config', `consumer_byte_rate=${bytesPerSecond}`],
    ...['--entity-type', 'clients', '--entity-default'],
  ]);
  const topic = await groups.newTopic();
  const versions = Array.from({ length: 700 }, (_, index) => index + 1);
  // In small batches: a broker never gives one that is larger than what its quota allows in ten seconds.
  for (let from = 0; from < versions.length; from += 50)
    await groups.write(
      topic,
      versions.slice(from, from + 50).map((version) => ['a', version]),
    );
  const seen: NoteEvent[] = [];
  const groupId = randomUUID();
  const beganMs = performance.now();
  const subscription = await groups.join({
    topic,
    groupId,
    handle: (event) => {
      seen.push(event);
      return Promise.resolve();
    },
  });
  await eventually(() => seen.length >= versions.length, { timeoutMs: 120_000 });
  const tookMs = performance.now() - beganMs;
  expect(versionsOf(seen, 'a')).toEqual(versions);
  expect(subscription.counts).toMatchObject({ rebalances: 1, losses: 0 });
  // The broker gives what a quota allows in ten seconds at once, and holds back the rest: longer than the connection may be silent.
  expect(tookMs).toBeGreaterThan(5000);
  expect(
    subscription.lines.filter(({ message }) => /gives nothing|timeout|no byte/.test(message)),
  ).toEqual([]);
  await eventually(async () => (await groups.committed(groupId, topic))[0] === versions.length);
  process.stdout.write(
    `${versions.length} events under ${bytesPerSecond} B/s: ${Math.round(tookMs)} ms\n`,
  );
  await subscription.stop();
});
