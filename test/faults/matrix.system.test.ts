import { afterAll, describe, expect, it } from 'vitest';
import { runSeed } from '../support/random.ts';
import { faultRows } from './matrix/rows.ts';
import { runRow } from './matrix/run-row.ts';
import { StackKeeper } from './matrix/stack-keeper.ts';

const rows = (await faultRows()).filter(({ inCi }) => inCi);

/** CI's share of `npm run faults`, one seed each. */
describe('under a fault of the matrix, every promise holds', () => {
  const keeper = new StackKeeper();
  afterAll(() => keeper[Symbol.asyncDispose]());
  const firstSeed = runSeed('fault matrix');

  it.each(rows.map((row) => [row.number, row.fault, row] as const))(
    'row %i: %s',
    async (_number, _fault, row) => {
      const { judged, failures } = await runRow(row, {
        firstSeed,
        rounds: 1,
        product: 'this one',
        keeper,
        say: console.log,
      });
      expect(failures).toEqual([]);
      expect(judged.filter(({ broken }) => broken > 0)).toEqual([]);
      expect(judged).not.toEqual([]);
    },
  );
});
