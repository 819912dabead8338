import { expect, test } from 'vitest';
import { setBackMs } from './clock-moment.ts';

const at = (serverMs: number, askedMs: number) => ({ serverMs, askedMs, answeredMs: askedMs + 5 });

test('a server whose clock advanced less than ours was set back by the difference; one that advanced more was not', () => {
  expect(setBackMs(at(1_000_000, 0), at(998_000, 3000))).toBe(5005);
  expect(setBackMs(at(1_000_000, 0), at(1_003_000, 3000))).toBe(5);
  expect(setBackMs(at(1_000_000, 0), at(1_900_000, 3000))).toBe(0);
});
