import { expect, it } from 'vitest';
import { processorTime } from './machine.ts';

it('tells stolen processor time from our own', () => {
  expect(processorTime('cpu  100 20 30 5000 7 8 2 40 0 0\ncpu0 1 2 3\n')).toEqual({
    busy: 1.6,
    steal: 0.4,
  });
});
