import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startReaderCluster } from './reader-cluster.ts';
import { nemesisKinds, type NemesisKind } from './nemesis-kinds.ts';
import { faultsOf, resultTable } from './result-table.ts';
import { readerCode } from './reader-code.ts';
import { runStateRound, stateText, type StateResult } from './state-round.ts';
import { runRound, type RoundResult } from './round.ts';
import { planRounds } from './round-plan.ts';

const help = `Usage: npm run soak:readers -- [options]
Rounds of readers on three real brokers that are moved, killed, stopped and hung; ends with a table, and with 1 if a promise was broken.
  --rounds N      how many rounds (default 8)
  --seed S        the first round's seed, the next ones follow it (default: the clock)
  --kinds A,B     what is done, in turns (default: all of ${nemesisKinds.join(', ')})
  --states N      rounds of rebuilds from a compacted topic of transactions, after the others (default 0)
  --events N      events waiting at the start of a round (default 240000)
  --handler-ms N  how long a handler waits before it is done (default 0): work then waits for as long as the round lasts
  --replicas N    2 or 3 in every round, whatever the seed says
  --members N     members in every round, whatever the seed says
  --root PATH     root of the repository whose consumer is read with (default: this one)
  --json FILE     appends the result of each round as a line of JSON`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '8' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kinds: { type: 'string', default: '' },
    states: { type: 'string', default: '0' },
    events: { type: 'string', default: '240000' },
    'handler-ms': { type: 'string', default: '0' },
    replicas: { type: 'string' },
    members: { type: 'string' },
    root: { type: 'string', default: '.' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const refuse = (why: string): never => {
  console.error(`${why}\n${help}`);
  process.exit(2);
};
const count = (option: string, text: string): number =>
  /^\d+$/.test(text) ? Number(text) : refuse(`--${option} ${text} is not a number`);
const kindOf = (text: string): NemesisKind =>
  nemesisKinds.find((kind) => kind === text) ?? refuse(`--kinds ${text} is not one of the kinds`);

const replicasOf = (text: string): 2 | 3 =>
  text === '2' ? 2 : text === '3' ? 3 : refuse(`--replicas ${text} is neither 2 nor 3`);
const replicas = values.replicas === undefined ? undefined : replicasOf(values.replicas);
const members = values.members === undefined ? undefined : count('members', values.members);
const seed = count('seed', values.seed);
const stateRounds = count('states', values.states);
const plans = planRounds({
  seed,
  rounds: count('rounds', values.rounds),
  kinds: values.kinds.split(',').flatMap((text) => (text === '' ? [] : [kindOf(text)])),
  events: count('events', values.events),
  handlerMs: count('handler-ms', values['handler-ms']),
}).map((plan) => ({
  ...plan,
  ...(replicas === undefined ? {} : { replicas }),
  ...(members === undefined ? {} : { members }),
}));

const root = resolve(values.root);
const results: RoundResult[] = [];
const states: StateResult[] = [];
const broken: string[] = [];
let cluster = await startReaderCluster();
/** A round that could not be carried out leaves a cluster that nobody knows: the next one gets another. */
const attempt = async (what: string, round: () => Promise<void>) => {
  try {
    await round();
  } catch (error) {
    console.error(error);
    broken.push(`${what} could not be carried out: ${String(error)}`);
    await cluster.close();
    cluster = await startReaderCluster();
  }
};
try {
  for (const plan of plans) {
    const what = `seed ${plan.seed}: ${plan.kind}, ${plan.replicas} replicas, ${plan.members} members, ${plan.form}`;
    console.log(what);
    await attempt(what, async () => {
      const result = await runRound(cluster, plan, root);
      results.push(result);
      if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(result)}\n`);
      console.log(resultTable([result]).split('\n').at(-1));
    });
  }
  const code = await readerCode(root);
  for (let index = 0; index < stateRounds; index += 1)
    await attempt(`states, seed ${seed + index}`, async () => {
      const result = await runStateRound(cluster, code, { seed: seed + index, cycles: 3 });
      states.push(result);
      console.log(stateText(result));
    });
} finally {
  await cluster.close();
}
console.log(`\n${resultTable(results)}\n`);
const faults = [...broken, ...results.flatMap(faultsOf), ...states.flatMap((each) => each.faults)];
for (const fault of faults) console.log(fault);
const lossy = results.filter(({ lost }) => lost > 0).length;
const all = results.reduce((sum, { lost }) => sum + lost, 0);
console.log(`${lossy} of ${results.length} rounds lost events, ${all} in all`);
process.exitCode = faults.length > 0 ? 1 : 0;
