import { stat } from 'node:fs/promises';
import { NoAnswerError, RefusedError, createCatalogClient } from '@outbound/catalog-client';
import { Argument, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { numberText } from '../console/units.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { apiAddress } from '../import/api-address.ts';
import { lockImport, lockPath } from '../import/import-lock.ts';
import type { AddVerb } from '../verb.ts';
import { exportBlocks } from './export-blocks.ts';
import { resumable, statePath, type ExportIdentity, type ExportState } from './export-state.ts';
import { summaryAnswer, summaryText, topicOf, type ExportSummary } from './export-summary.ts';
import { PartFile } from './part-file.ts';

interface Options {
  readonly output?: string;
  readonly gzip?: boolean;
  readonly resume?: boolean;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly patience: number;
}

const kinds = ['products', 'categories'] as const;
type Kind = (typeof kinds)[number];

const plainIntervalMs = 10_000;
const attemptTimeoutMs = 120_000;

/** `outbound export products`: all of one moment, as lines, and from where the topic goes on. */
export const addExport: AddVerb = (verb, bind) => {
  verb
    .addArgument(new Argument('<what>', 'what is exported').choices(kinds))
    .option(
      '-o, --output <file>',
      'where to; it appears when it is whole (default: standard output)',
    )
    .option('--gzip', 'pack it; without a word, a file is whose name ends with .gz')
    .option('--resume', 'go on where the last run into this file stopped')
    .option(
      '-q, --query <name=value>',
      'a filter, or fields, as the list of the API takes them; again for each',
      parameter,
      [],
    )
    .option(
      '--patience <seconds>',
      'how long to wait for an API that does not answer',
      seconds,
      600,
    )
    .addHelpText(
      'after',
      `
Examples:
  outbound export products -o products.ndjson.gz
  outbound export products -q status=ACTIVE -q 'fields=(id,sku,price,version)' | jq -c 'select(.id)'
  outbound export products -o products.ndjson.gz --resume

The first line names the snapshot, the last one ({"end": …}) says that all is there: without it, and with any exit code but 0, it is not whole. While it is written a file is
called FILE.part, with FILE.export-state.json beside it. An export that goes on, by --resume or over a connection that broke, takes the rest as it is then; the position stays
the first one, and the events from there on, taken by version, make one state of it. So the topic must keep them for as long as that takes.`,
    )
    .action(bind(exportEntities));
};

async function exportEntities(
  context: CliContext,
  what: Kind,
  options: Options,
): Promise<ExitCode> {
  const { output, signal, settings } = context;
  const { resume = false, patience } = options;
  const path = options.output === '-' ? undefined : options.output;
  if (path === undefined && resume)
    throw new CliError('USAGE', '--resume goes on in a file: say which with --output', {
      exitCode: exitCodes.usage,
    });
  const isGzip = options.gzip ?? path?.endsWith('.gz') ?? false;
  const about: ExportIdentity = {
    apiAddress: apiAddress(context.apiUrl()),
    what,
    query: new URLSearchParams(
      options.query.map(([name, value]): [string, string] => [name, value]),
    ).toString(),
    isGzip,
  };
  let from: ExportState | undefined;
  if (path !== undefined) {
    await assertFile(path);
    context.onClose(
      await lockImport(lockPath(statePath(path)), { code: 'EXPORT_BUSY', does: 'exports to' }),
    );
    if (resume) from = await resumable(statePath(path), about);
  }
  const client = createCatalogClient({
    baseUrl: context.apiUrl(),
    ...(settings.apiToken === undefined ? {} : { token: settings.apiToken }),
    ...{ patienceMs: patience * 1000, attemptTimeoutMs, basePauseMs: 500 },
    onWait: ({ why, waitMs }) =>
      output.note(`the API ${why}: again in ${(waitMs / 1000).toFixed(1)} s`),
  });
  const startedMs = performance.now();
  const stopped = (error: unknown) => told(error, context, patience);
  const opened = await client
    .exportTextOf(`/${what}`, {
      query: queryOf(options.query),
      signal,
      ...(from?.last === undefined ? {} : { after: from.last }),
    })
    .catch((error: unknown) => {
      throw stopped(error);
    });
  const head = headSchema.parse(JSON.parse(opened.head)).export;
  const file = path === undefined ? undefined : await PartFile.open(path, from);
  if (file !== undefined) context.onClose(() => file.close());
  let state: ExportState = from ?? {
    ...{ format: 1, ...about, position: opened.position, at: opened.at, count: 0, bytes: 1 },
  };
  const lines = async function* (): AsyncGenerator<{ id?: string; text: string }> {
    if (from === undefined) yield { text: opened.head };
    let { count } = state;
    for await (const item of opened.items) {
      count += 1;
      yield item;
    }
    yield { text: JSON.stringify({ end: { count, position: state.position } }) };
  };
  const show = progress(context, startedMs);
  let bytes = from?.bytes ?? 0;
  try {
    for await (const block of exportBlocks(lines(), { isGzip })) {
      await (file === undefined ? output.bytes(block.bytes) : file.write(block.bytes));
      bytes += block.bytes.length;
      const { last = state.last } = block;
      state = {
        ...{ ...state, count: state.count + block.count, bytes },
        ...(last === undefined ? {} : { last }),
      };
      if (file?.isDue === true) await file.checkpoint(state);
      show(state.count);
    }
  } catch (error) {
    output.endProgress();
    return broken(error, { file, state, bytes, stopped, context });
  }
  await file?.finish();
  const summary: ExportSummary = {
    ...{ count: state.count, position: state.position, at: state.at, file: path, bytes },
    seconds: (performance.now() - startedMs) / 1000,
    topic: topicOf(head.event_type, settings.topicPrefix),
  };
  // The answer on standard output is the export itself there.
  if (path === undefined)
    output.note(output.isJson ? JSON.stringify(summaryAnswer(summary)) : summaryText(summary));
  else output.answer(summaryAnswer(summary), () => summaryText(summary));
  return exitCodes.done;
}

const headSchema = z.object({ export: z.object({ event_type: z.string() }) });

/** Says how far it came, and keeps that where it can be gone on with. */
async function broken(
  error: unknown,
  about: {
    readonly file: PartFile | undefined;
    readonly state: ExportState;
    readonly bytes: number;
    readonly stopped: (error: unknown) => unknown;
    readonly context: CliContext;
  },
): Promise<ExitCode> {
  const { file, state, bytes, stopped, context } = about;
  const { output } = context;
  const so = `stopped after ${numberText(state.count)}`;
  if (file === undefined) {
    output.note(`${so}: what was written is not whole`);
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') {
      output.note('whoever reads standard output has gone before the end');
      return exitCodes.failed;
    }
  } else if (bytes === 0) await file.discard();
  else
    try {
      await file.checkpoint(state);
      output.note(`${so}; --resume goes on from there`);
    } catch {
      // The disk that failed before: the state from before it stands, and what is behind it comes again.
      output.note(so);
    }
  throw stopped(error);
}

/** What is written over has to be a file: a rename would put one in the place of anything. */
async function assertFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isFile() === false)
    throw new CliError(
      'EXPORT_NO_FILE',
      `${path} is no regular file: name one, or leave --output out and lead standard output there`,
      { exitCode: exitCodes.usage },
    );
}

function told(error: unknown, context: CliContext, patience: number): unknown {
  context.signal.throwIfAborted();
  const url = context.apiUrl();
  if (error instanceof NoAnswerError)
    return new CliError(
      'API_UNAVAILABLE',
      `the API at ${url} gives no answer (${error.reason}) for ${patience} s: check it`,
      { exitCode: exitCodes.unavailable, cause: error },
    );
  if (!(error instanceof RefusedError)) return error;
  const { status } = error;
  // 200: it began, again and again, and broke off.
  if (status === 200 || status === 429 || status >= 500)
    return new CliError('API_UNAVAILABLE', `the API at ${url}: ${error.message}`, {
      exitCode: exitCodes.unavailable,
      cause: error,
    });
  const hint =
    status === 401 || status === 403
      ? 'the access token comes from OUTBOUND_API_TOKEN or --api-token-file'
      : status === 404
        ? 'is OUTBOUND_API_URL the catalog API?'
        : 'see the query';
  return new CliError('API_REFUSED', `${error.message} (${hint})`, {
    exitCode: status === 400 ? exitCodes.usage : exitCodes.failed,
    cause: error,
  });
}

function progress({ output }: CliContext, startedMs: number): (count: number) => void {
  let shownMs = startedMs;
  return (count) => {
    const nowMs = performance.now();
    const rate = Math.round((count * 1000) / Math.max(nowMs - startedMs, 1));
    const line = `${numberText(count)} exported · ${numberText(rate)}/s`;
    if (output.canRedraw) output.redraw(line);
    else if (nowMs - shownMs > plainIntervalMs) {
      output.note(line);
      shownMs = nowMs;
    }
  };
}

function queryOf(parameters: Options['query']): Record<string, string[]> {
  const query: Record<string, string[]> = {};
  for (const [name, value] of parameters) (query[name] ??= []).push(value);
  return query;
}

function parameter(text: string, before: Options['query']): Options['query'] {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  if (at < 1) throw new InvalidArgumentError('expected name=value, such as status=ACTIVE');
  if (name === 'after') throw new InvalidArgumentError('after is what --resume asks for');
  return [...before, [name, text.slice(at + 1)]];
}

function seconds(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number of seconds from 1');
}
