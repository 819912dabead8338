import { appendFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import buildServices from '../../support/build-services.ts';
import { help, runOptions, type RunOptions } from './run-options.ts';
import { isSound, type RowResult } from './row-result.ts';
import { faultRows } from './rows.ts';
import { runRow } from './run-row.ts';
import { keepRun, productCommit } from './runs.ts';
import { StackKeeper } from './stack-keeper.ts';

const refuse = (why: string): never => {
  console.error(`${why}\n${help}`);
  process.exit(2);
};

function asked(): RunOptions {
  try {
    return runOptions(process.argv.slice(2));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const options = asked();
if (options.isHelp) {
  console.log(help);
  process.exit(0);
}
const rows = (await faultRows()).filter(({ number }) => options.rows?.has(number) ?? true);
const firstSeed = options.seed ?? Date.now() % 1_000_000;
const product = productCommit();
buildServices();

const results: RowResult[] = [];
{
  await using keeper = new StackKeeper();
  for (const row of rows) {
    const result = await runRow(row, {
      firstSeed,
      rounds: options.seeds ?? row.seeds,
      product,
      keeper,
      say: console.log,
    });
    results.push(result);
    if (options.json !== undefined) appendFileSync(options.json, `${JSON.stringify(result)}\n`);
    if (options.writesTable) keepRun(result);
  }
}
if (options.writesTable) execFileSync('npm', ['run', '--silent', 'generate'], { stdio: 'inherit' });

console.log('');
for (const result of results)
  console.log(
    `row ${result.row}: ${result.rounds} rounds from seed ${result.firstSeed} in ${result.seconds} s, ${isSound(result) ? 'every promise held' : 'BROKEN'}`,
  );
const broken = results.filter((result) => !isSound(result));
for (const { row, rounds, judged, failures, firstSeed } of broken) {
  for (const { promise, broken, found } of judged)
    if (broken > 0)
      console.log(`row ${row}: ${promise} broken in ${broken} of ${rounds}: ${found}`);
  for (const { seed, what } of failures) console.log(`row ${row}, seed ${seed}: ${what}`);
  console.log(`again: npm run faults -- --rows ${row} --seed ${firstSeed} --seeds ${rounds}`);
}
// A connection that a failed round left open must not keep the command.
process.exit(broken.length > 0 ? 1 : 0);
