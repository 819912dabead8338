import { Chance } from '../../simulation/chance.ts';
import type { FaultRow } from './fault-row.ts';
import { rowResult, type RoundResult, type RowResult } from './row-result.ts';
import type { StackKeeper } from './stack-keeper.ts';

export interface RowRun {
  readonly firstSeed: number;
  readonly rounds: number;
  /** What is run: see `RowResult`. */
  readonly product: string;
  readonly keeper: StackKeeper;
  readonly say: (line: string) => void;
}

/** Carries out so many rounds of a row, one after the other. A round that fails is told, and does not end the run. */
export async function runRow(
  row: FaultRow,
  { firstSeed, rounds, product, keeper, say }: RowRun,
): Promise<RowResult> {
  const startedMs = performance.now();
  const results: RoundResult[] = [];
  for (let seed = firstSeed; seed < firstSeed + rounds; seed += 1) {
    say(`row ${row.number}, seed ${seed}: ${row.fault}`);
    try {
      const outcome = await row.run({
        seed,
        chance: new Chance(`row ${row.number}, seed ${seed}`),
        say: (line) => say(`  ${line}`),
        stack: async (choice) => keeper.stack(choice),
      });
      results.push({ seed, outcome });
      const broken = outcome.judged.filter(({ holds }) => !holds);
      if (broken.length > 0) await keeper.drop();
      say(`  bit: ${outcome.bit}`);
      for (const { promise, holds, found } of outcome.judged)
        say(`  ${holds ? 'holds' : 'BROKEN'} ${promise}: ${found}`);
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      say(`  FAILED: ${error instanceof Error ? (error.stack ?? failure) : failure}`);
      results.push({ seed, failure: failure.split('\n')[0] ?? '' });
      await keeper.drop();
    }
  }
  return rowResult(row, results, {
    date: new Date().toISOString().slice(0, 10),
    product,
    node: process.versions.node,
    seconds: Math.round((performance.now() - startedMs) / 1000),
  });
}
