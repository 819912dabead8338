import { randomBytes } from 'node:crypto';
import { quietLogger, runUntilSignal } from '@outbound/service-kit';
import pg from 'pg';
import picocolors from 'picocolors';
import { createCatalogClient } from './catalog-client.ts';
import { claim } from './claim.ts';
import { closingScreen } from './closing-screen.ts';
import { crackerCategory, crackerInput, currentEtag, findCrackers } from './crackers.ts';
import { dataDirectory } from './data-directory.ts';
import { diamondCategory, diamondInput } from './diamonds.ts';
import { drained } from './drain.ts';
import { writeEnvFile } from './env-file.ts';
import { parseFlags, sliceSize, usage, type Flags } from './flags.ts';
import { isProven, proofLine } from './judgement.ts';
import { lagText } from './lag-window.ts';
import { followTopic } from './live-consumer.ts';
import { ensureCategories, loadProducts } from './load.ts';
import { startPipeline, type PipelineHost } from './pipeline.ts';
import { playPrices, type PlayTally } from './play.ts';
import { nodeProblem } from './prerequisites.ts';
import { priceHistories } from './prices.ts';
import { createProgress, type Progress } from './progress.ts';
import { prove } from './proof.ts';
import { readRows } from './rows.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * `npm start`: brings up the whole pipeline, loads real products, plays real price changes, proves that what Kafka has is what the
 * database has, and stays up. Exit codes: see `flags.ts`.
 */
const changeTopic = 'catalog.product-change';
const stateTopic = 'catalog.product';
const requestsAtOnce = 4;
const playersPerProduct = 2;
/** Longer than the slowest end of all: a service's 12 s, then Kafka's controlled shutdown. */
const closeDeadlineMs = 45_000;

const { bold, green, red } = picocolors;

const number = (value: number) => value.toLocaleString('en-US');
/** Since the command began, as far as Node knows. */
const seconds = () => (performance.now() / 1000).toFixed(1);

const tallyText = ({ writtenCount, unchangedCount, conflictCount }: PlayTally) =>
  `${number(writtenCount)} written, ${number(unchangedCount)} unchanged, ${number(conflictCount)} conflicts retried`;

function flagsOrExit(): Flags {
  try {
    return parseFlags(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}

/** The inputs of the load, as JSON text, and the histories to play. */
async function readData({ all }: Flags) {
  const [diamonds, prices] = await Promise.all([
    readRows(new URL('data/diamonds.csv.gz', import.meta.url)),
    readRows(new URL('data/cracker-prices.csv.gz', import.meta.url)),
  ]);
  const histories = priceHistories(prices);
  const catalogue = all ? diamonds : diamonds.slice(0, sliceSize);
  return { items: [...histories.map(crackerInput), ...catalogue.map(diamondInput)], histories };
}

/** Everything up to the proof. Order matters: the subscriber follows before the first write, and the proof reads after the last one. */
async function demo(
  flags: Flags,
  progress: Progress,
  host: Omit<PipelineHost, 'say'>,
): Promise<{ isGood: boolean; closing: string }> {
  const { signal, onClose, dataDir } = host;
  const holding = await claim(dataDir);
  onClose('claim', () => holding.release());
  const say = (line: string) => progress.note(`${green('✓')} ${line} (${seconds()} s)`);

  const [{ items, histories }, pipeline] = await Promise.all([
    readData(flags),
    startPipeline({ ...host, say }),
  ]);
  const { apiUrl, apiToken, brokers, databaseUrl, slot } = pipeline;
  holding.describe({ api: apiUrl, kafka: brokers });
  onClose('settings file', await writeEnvFile(dataDir, pipeline));

  const { lags, close } = await followTopic({
    brokers,
    topic: changeTopic,
    onFirst: (line) => say(`${bold('first event')}: ${line}`),
  });
  onClose('subscriber', close);
  const client = createCatalogClient({ baseUrl: apiUrl, token: apiToken, signal });

  await ensureCategories(client, new Set([crackerCategory, diamondCategory]));
  progress.begin('load', items.length, () => `${number(lags.count)} received, ${lagText(lags)}`);
  const { createdCount, reusedCount } = await loadProducts(client, {
    items,
    runId: randomBytes(6).toString('hex'),
    width: requestsAtOnce,
    onDone: progress.advance,
  });
  progress.end();
  say(`${number(createdCount)} products created, ${number(reusedCount)} were there already`);

  const products = await findCrackers(client, histories);
  const tally: PlayTally = { writtenCount: 0, unchangedCount: 0, conflictCount: 0 };
  const observationCount = products.reduce((sum, { amounts }) => sum + amounts.length, 0);
  progress.begin('prices', observationCount, () => `${tallyText(tally)} · ${lagText(lags)}`);
  await playPrices(client, { products, playersPerProduct, tally, onObservation: progress.advance });
  progress.end();
  say(`${number(observationCount)} prices seen: ${tallyText(tally)}`);

  const sql = new pg.Client(databaseUrl);
  // A server that goes away fails the query that waits for it.
  sql.on('error', () => undefined);
  await sql.connect();
  onClose('proof', () => sql.end());
  await drained(sql, { slot, signal });
  say(`all delivered: ${number(lags.count)} events received, ${lagText(lags)}`);
  const verdict = await prove({ sql, brokers, changeTopic, stateTopic });
  const isGood = isProven(verdict);
  progress.note((isGood ? green : red)(bold(proofLine(verdict))));
  for (const finding of verdict.findings) progress.note(`  ${finding}`);

  const [{ id } = { id: '' }] = products;
  const example = { id, etag: await currentEtag(client, id) };
  return { isGood, closing: closingScreen(pipeline, example, picocolors) };
}

const flags = flagsOrExit();
const problem = nodeProblem(process.versions.node);
if (flags.help) {
  console.log(usage);
} else if (problem !== undefined) {
  console.error(problem);
  process.exitCode = 1;
} else {
  await runUntilSignal(
    async ({ signal: stopSignal, onClose }) => {
      const failure = new AbortController();
      const signal = AbortSignal.any([stopSignal, failure.signal]);
      const onFailure = (error: Error) => failure.abort(error);
      const progress = createProgress({ output: process.stdout });
      onClose('progress', progress.end);
      const dataDir = dataDirectory(process.env['OUTBOUND_DATA_DIR']);
      let exitCode = 130;
      try {
        const host = { dataDir, signal, onClose, onFailure };
        const { isGood, closing } = await untilAborted(demo(flags, progress, host), signal);
        exitCode = isGood ? 0 : 1;
        if (flags.once) return exitCode;
        progress.note(`\n${closing}`);
        // Ends by the signal, or because a service ended.
        return await untilAborted(new Promise<never>(() => undefined), signal);
      } catch (error) {
        progress.end();
        if (stopSignal.aborted) {
          progress.note('\nstopping');
          return exitCode;
        }
        progress.note(red(error instanceof Error ? error.message : String(error)));
        return 1;
      }
    },
    { logger: quietLogger(), deadlineMs: closeDeadlineMs },
  );
}
