import { createHash } from 'node:crypto';
import { InvalidArgumentError, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { AddVerb } from '../verb.ts';
import { apiAddress } from './api-address.ts';
import { BatchClient } from './batch-client.ts';
import { chunksOf } from './chunks.ts';
import { csvRows } from './csv-rows.ts';
import { dryRun } from './dry-run.ts';
import { ErrorFile } from './error-file.ts';
import { exportedRows } from './exported-rows.ts';
import { planFields, rowToJson, type MapOptions } from './field-map.ts';
import { inspectFile, readText } from './import-file.ts';
import { lockImport, lockPath } from './import-lock.ts';
import type { ImportRow } from './import-row.ts';
import {
  freshState,
  readState,
  removeState,
  resumable,
  statePath,
  writeState,
  type ImportIdentity,
  type ImportState,
} from './import-state.ts';
import { summaryAnswer, summaryText } from './import-summary.ts';
import { importTargets, targetFields, type ImportTarget } from './import-target.ts';
import { ndjsonRows } from './ndjson-rows.ts';
import { objectToJson } from './object-to-json.ts';
import { progressText } from './progress-text.ts';
import { runImport, type SendChunk } from './run-import.ts';
import { stopNote } from './stop-note.ts';

interface Options extends MapOptions {
  readonly into: string;
  readonly format?: 'csv' | 'ndjson';
  readonly delimiter: string;
  readonly batch: number;
  readonly parallel: number;
  readonly rate?: number;
  readonly patience: number;
  readonly errors?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly exported: boolean;
}

const maxChunkChars = 2_000_000;
const plainIntervalMs = 10_000;

/** `outbound import FILE --into products`: rows of a file through the API's batch route, every row once. */
export const addImport: AddVerb = (verb, bind) => {
  verb
    .argument('<file>')
    .addOption(
      new Option('--into <what>', 'what the rows become')
        .choices([...importTargets.keys()])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--format <form>', "the file's; by its name if not said").choices([
        'csv',
        'ndjson',
      ]),
    )
    .option('--delimiter <text>', 'between the cells of CSV', ',')
    .option(
      '--map <field=column>',
      'where a field comes from; again for each (price.amount=cost, attributes.carat:number=carat)',
      append,
      [],
    )
    .option(
      '--set <field=value>',
      'the same for every row, but for {row} and {line} in it; again for each (price.currency=EUR, sku=OLD-{row})',
      append,
      [],
    )
    .option('--ignore-others', 'leave out columns, and members of NDJSON, that are no field', false)
    .option(
      '--errors <file>',
      'where rows that were refused are listed (default: FILE.errors.ndjson; FILE.dry-run.errors.ndjson)',
    )
    .option(
      '--exported',
      'the file is one of outbound export: each entity is created under the id that it has',
      false,
    )
    .option('--resume', 'go on where the last run of this file stopped')
    .option('--dry-run', 'only check the rows against the schema; nothing is sent')
    .option('--rate <rows>', 'rows a second at the most', count)
    .option('--batch <rows>', 'rows of a request, at most 1,000', upTo(1000), 500)
    .option('--parallel <requests>', 'requests at once, at most 16', upTo(16), 2)
    .option('--patience <seconds>', 'how long to wait for an API that does not answer', count, 600)
    .addHelpText(
      'after',
      `
Examples:
  outbound import products.csv --into products --dry-run
  outbound import diamonds.csv.gz --into products --map name=title --map price.amount=cost \\
    --set price.currency=USD --map attributes.carat:number=carat --ignore-others
  outbound import products.csv --into products --resume
  outbound import categories.ndjson.gz --into categories --exported

A column that is called like a field needs no --map; an empty cell is an absent field. A kind (:number, :boolean, :string, :json) is held to: a cell
that is none is refused with its row. {row} counts the rows with data from 1, {line} is the line in the file. NDJSON without --map and --set goes out as it stands;
with them a member that becomes nothing is refused with its row, unless --ignore-others. With --exported nothing that is there is replaced (412); versions begin at 1, and
created_at and updated_at anew; categories come before the products that name them.

Rows go in batches, several at once, and not as one stream: a run that goes on sends what was not answered, where a stream is sent again from its beginning.`,
    )
    .action(bind(importFile));
};

async function importFile(context: CliContext, path: string, options: Options): Promise<ExitCode> {
  const { output, signal } = context;
  const isDry = options.dryRun === true;
  const target = targetOf(options.into);
  assertExported(path, options);
  const send = isDry ? dryRun(target) : sender(context, target, options);
  const file = await inspectFile(path, signal);
  const state = statePath(path);
  // A dry run writes nothing that another one reads.
  if (!isDry) context.onClose(await lockImport(lockPath(state)));
  const about = {
    fileHash: file.hash,
    apiAddress: isDry ? '' : apiAddress(context.apiUrl()),
    optionsHash: optionsHash(options),
  };
  const from = await startingPoint(state, about, options, output.note.bind(output));
  const errorFile = await ErrorFile.begin(
    // A dry run leaves the list of a real run alone: --resume goes on in it.
    options.errors ?? `${path}.${isDry ? 'dry-run.' : ''}errors.ndjson`,
    from.errorBytes,
    { mayReplace: !isDry || options.errors === undefined },
  );
  context.onClose(() => errorFile.close());
  let bytesRead = 0;
  const text = readText(path, signal, (bytes) => (bytesRead = bytes));
  const startedMs = performance.now();
  let shownMs = startedMs;
  const show = (now: ImportState): void => {
    const line = progressText(now, {
      fraction: file.bytes === 0 ? 1 : bytesRead / file.bytes,
      rows: now.rows - from.rows,
      elapsedMs: performance.now() - startedMs,
      isDry,
    });
    if (output.canRedraw) output.redraw(line);
    else if (performance.now() - shownMs > plainIntervalMs) {
      output.note(line);
      shownMs = performance.now();
    }
  };
  let reached = from;
  try {
    const end = await runImport({
      chunks: chunksOf(rowsOf(text, formatOf(path, options), target, options), {
        maxRows: options.batch,
        maxChars: maxChunkChars,
      }),
      fileHash: file.hash,
      path: target.path,
      from,
      width: options.parallel,
      rate: isDry ? undefined : options.rate,
      signal,
      send,
      writeErrors: async (errors) => {
        await errorFile.append(errors);
        return errorFile.bytes;
      },
      save: async (now) => {
        if (!isDry) await writeState(state, now);
        reached = now;
        show(now);
      },
    });
    if (!isDry) await removeState(state);
    const summary = {
      ...{ end, isDry, errorPath: errorFile.path },
      seconds: (performance.now() - startedMs) / 1000,
      rowsNow: end.rows - from.rows,
    };
    output.answer(summaryAnswer(summary), () => summaryText(summary));
    return end.refused === 0 ? exitCodes.done : exitCodes.differs;
  } catch (error) {
    const note = isDry ? undefined : stopNote(error, reached);
    if (note !== undefined) output.note(note);
    throw error;
  }
}

async function startingPoint(
  path: string,
  about: ImportIdentity,
  options: Options,
  note: (text: string) => void,
): Promise<ImportState> {
  if (options.dryRun === true) return freshState(about);
  if (options.resume === true) return resumable(await readState(path), about, path);
  const left = await readState(path).catch(() => undefined);
  if (left)
    note(
      `an earlier import of this file stopped after line ${left.line}; this one starts over, and creates ` +
        'nothing twice (--resume goes on)',
    );
  return freshState(about);
}

/** Of what decides the chunks, and where their errors go. */
function optionsHash(options: Options): string {
  const {
    into,
    format,
    delimiter,
    map,
    set,
    ignoreOthers,
    batch,
    errors = null,
    exported,
  } = options;
  const decides = [into, format, delimiter, map, set, ignoreOthers, batch, errors];
  return createHash('sha256')
    .update(JSON.stringify(exported ? [...decides, exported] : decides))
    .digest('hex');
}

function rowsOf(
  text: AsyncIterable<string>,
  format: 'csv' | 'ndjson',
  target: ImportTarget,
  options: Options,
): AsyncIterable<ImportRow> {
  const fields = targetFields(target);
  if (format === 'csv')
    return csvRows(text, {
      delimiter: options.delimiter,
      ignoreOthers: options.ignoreOthers,
      plan: (columns) => {
        const sources = planFields(fields, columns, options);
        return (cell, place) => rowToJson(sources, fields, place, cell);
      },
    });
  if (options.exported) return exportedRows(text, { isDry: options.dryRun === true });
  const sources = planFields(fields, undefined, options);
  if (sources.length === 0 && !options.ignoreOthers) return ndjsonRows(text);
  const plan = { sources, fields, ignoreOthers: options.ignoreOthers };
  return ndjsonRows(text, (object, place) => objectToJson(plan, place, object));
}

/** @throws CliError USAGE for what would change what was exported */
function assertExported(path: string, options: Options): void {
  const { exported, map, set, ignoreOthers } = options;
  const isPlain = map.length === 0 && set.length === 0 && !ignoreOthers;
  if (!exported || (isPlain && formatOf(path, options) === 'ndjson')) return;
  throw new CliError(
    'USAGE',
    '--exported takes NDJSON as outbound export has written it: say it without --map, --set and --ignore-others' +
      (formatOf(path, options) === 'csv' ? ', and with --format ndjson' : ''),
    { exitCode: exitCodes.usage },
  );
}

function sender(
  context: CliContext,
  { path }: ImportTarget,
  { patience, exported }: Options,
): SendChunk {
  const client = new BatchClient({
    method: exported ? 'PUT' : 'POST',
    apiUrl: context.apiUrl(),
    token: context.settings.apiToken,
    path,
    patienceMs: patience * 1000,
    onWait: (why, waitMs) =>
      context.output.note(`the API ${why}: again in ${(waitMs / 1000).toFixed(1)} s`),
  });
  return (items, about) => client.send(items, about);
}

function targetOf(name: string): ImportTarget {
  const target = importTargets.get(name);
  if (target) return target;
  throw new InvalidArgumentError(`${name} cannot be imported`);
}

function formatOf(path: string, { format }: Options): 'csv' | 'ndjson' {
  if (format !== undefined) return format;
  return /\.(ndjson|jsonl|json)(\.gz)?$/i.test(path) ? 'ndjson' : 'csv';
}

function append(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function count(text: string): number {
  return upTo(1_000_000_000)(text);
}

function upTo(max: number): (text: string) => number {
  return (text) => {
    if (/^[1-9]\d{0,9}$/.test(text) && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(`expected a whole number from 1 to ${max}`);
  };
}
