import { expect, test } from 'vitest';
import { coordinated } from './kafka-groups.ts';

const failing = (times: number, type: string) => {
  let calls = 0;
  return () => {
    calls += 1;
    return calls > times
      ? Promise.resolve(calls)
      : Promise.reject(Object.assign(new Error(type), { type }));
  };
};

test.each([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])('a group is asked again while its coordinator is on its way: %s', async (type) => {
  expect(await coordinated(failing(1, type))).toBe(2);
});

test('any other error is told at once', async () => {
  await expect(coordinated(failing(1, 'GROUP_AUTHORIZATION_FAILED'))).rejects.toThrow(
    'GROUP_AUTHORIZATION_FAILED',
  );
});
