import { expect, it } from 'vitest';
import { noFeatures } from './readers-features.ts';
import { runReadersSchedule } from './readers-schedule.ts';

/** Seeds that have found something, whatever else the schedules of the day are. */
it.each([
  ['planted-9', 'handlers that are slower than the events come'],
  [
    's-55',
    'a topic that grows while its only, static, member is away is shared out when it is back',
  ],
  ['long-52', 'a broker that has not heard that a topic grew does not make it another topic'],
  ['long-475', 'a commit that is fenced says so'],
  [
    'long-518',
    'a description of the old topic that comes after the one of the new is not believed for ever',
  ],
])('keeps every rule in schedule %s: %s', { timeout: 120_000 }, async (seed) => {
  const { failures } = await runReadersSchedule(seed, { features: noFeatures });
  expect(failures).toEqual([]);
});

it.each([
  [
    'redrives-75',
    'letters of a partition that the topic has no more are redriven',
    { topics: 1, deadLetters: { poison: 0.02, ms: 60, failures: 0.05, attempts: 1 } },
  ],
  [
    'redrives-528',
    'keys are freed, though a member of before took them for its own behind its successor',
    { topics: 2, deadLetters: { poison: 0.02, ms: 5, failures: 0, attempts: 1 } },
  ],
] as const)('keeps every rule in schedule %s: %s', { timeout: 120_000 }, async (seed, _, found) => {
  const features = { ...noFeatures, ...found, redrives: true };
  const { failures } = await runReadersSchedule(seed, { features });
  expect(failures).toEqual([]);
});
