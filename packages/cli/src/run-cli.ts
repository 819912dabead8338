import { existsSync } from 'node:fs';
import type { Environment } from '@outbound/service-kit';
import { Command, CommanderError, Option } from 'commander';
import { cliPrefix } from './cli-prefix.ts';
import { Output, type TextStream, type WriteBytes } from './console/output.ts';
import { hasSettings, overFile, readEnvFile } from './env-file.ts';
import { CliError, exitCodes, type ExitCode } from './exit-codes.ts';
import { safeText } from './records/safe-text.ts';
import { toldError } from './told-error.ts';
import type { Bind, ListedVerb } from './verb.ts';

type GlobalOptions = Readonly<Record<string, string | boolean | undefined>>;

/** Options of every verb; they win over the environment. The first four say where to look. */
const globalOptions: readonly (readonly [flag: string, setting: string, help: string])[] = [
  ['--database-url <url>', 'DATABASE_URL', 'Postgres, as outbound_operator or a superuser'],
  ['--brokers <list>', 'KAFKA_BROKERS', 'Kafka, host:port separated by commas'],
  ['--api-url <url>', 'API_URL', 'the catalog API'],
  ['--relay-admin-url <url>', 'RELAY_ADMIN_URL', "the relay's admin port"],
  ['--api-token-file <file>', 'API_TOKEN_FILE', "file with the API's access token"],
  ['--slot <name>', 'SLOT', 'replication slot of the relay'],
  ['--topic-prefix <text>', 'TOPIC_PREFIX', 'put before every topic name'],
];

/** What the process gives to the command line. */
export interface CliHost {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly out: TextStream;
  readonly err: TextStream;
  readonly writeBytes?: WriteBytes;
  readonly signal: AbortSignal;
  readonly version: string;
  /** File that `npm start` writes; read if nothing else says where the pipeline is. */
  readonly localEnvFile?: string;
}

/**
 * Runs `outbound` and gives its exit code; see `exitCodes`. Errors are one sentence on standard error (an object with
 * `code` and
 * `message` with --json), never a stack; `OUTBOUND_*` settings that do not exist are refused.
 */
export async function runCli(host: CliHost, verbs: readonly ListedVerb[]): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done;
  // Looked for by hand, because a command line that cannot be parsed has to be answered in the same form.
  const isJson = host.argv.slice(0, endOfOptions(host.argv)).includes('--json');
  const program = createProgram(host, isJson);
  const bind: Bind =
    (run) =>
    async (...parameters) => {
      const options = program.opts<GlobalOptions>();
      const output = new Output({
        out: host.out,
        err: host.err,
        isJson,
        noColor: Boolean(host.env['NO_COLOR']),
        writeBytes: host.writeBytes,
      });
      const env = settingsEnvironment(host, options, output);
      // Loaded here, because what a verb stands on takes most of the time that a start takes.
      const [{ readCliSettings }, { CliContext }] = await Promise.all([
        import('./cli-settings.ts'),
        import('./context.ts'),
      ]);
      const context = new CliContext({
        settings: readCliSettings(env),
        output,
        signal: host.signal,
        env,
      });
      try {
        exitCode = await run(context, ...parameters);
      } finally {
        await context.close();
      }
    };
  await addVerbs(program, { verbs, bind, isWanted: (name) => host.argv.includes(name) });
  try {
    await program.parseAsync([...host.argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return exitCodes.done;
      if (isJson) tellError(host, new CliError('USAGE', usageMessage(thrown)), isJson);
      return exitCodes.usage;
    }
    if (host.signal.aborted) return exitCodes.interrupted;
    const error = toldError(thrown);
    tellError(host, error, isJson);
    return error.exitCode;
  }
}

/** The program without its verbs. */
export function createProgram(
  { version, out, err }: Pick<CliHost, 'version' | 'out' | 'err'>,
  isJson: boolean,
): Command {
  const program = new Command('outbound')
    .description('look into, move and prove what goes from Postgres to Kafka')
    .usage('VERB [options]')
    .version(version, '-V, --version', 'the version of outbound')
    .helpOption('-h, --help', 'help for a verb, or for all')
    .helpCommand('help [verb]', 'help for a verb')
    .option('--json', 'answer in JSON, one object a line')
    .option('--env-file <file>', `read ${cliPrefix}* from a file; the environment wins over it`)
    .showHelpAfterError('(outbound --help says more)')
    .configureHelp({
      subcommandTerm: (verb) => `${verb.name()} ${verb.usage()}`.replace('[options] ', '').trim(),
    })
    .configureOutput({
      getOutHelpWidth: () => out.columns ?? 80,
      getErrHelpWidth: () => err.columns ?? 80,
      writeOut: (text) => out.write(text),
      writeErr: (text) => isJson || err.write(text),
    })
    .exitOverride();
  for (const [flag, setting, help] of globalOptions)
    program.addOption(new Option(flag, `${help} [${cliPrefix}${setting}]`));
  program.addHelpText(
    'after',
    `\nExit codes: ${Object.entries(exitCodes)
      .map(([name, code]) => `${code} ${name}`)
      .join(', ')}.`,
  );
  return program;
}

/**
 * Adds every verb to the program in the order of the list. One that is not wanted is listed only: it has its name,
 * arguments and description, and runs nothing.
 */
export async function addVerbs(
  program: Command,
  parts: {
    readonly verbs: readonly ListedVerb[];
    readonly bind: Bind;
    readonly isWanted: (name: string) => boolean;
  },
): Promise<void> {
  for (const { name, usage, description, load } of parts.verbs) {
    const verb = program.command(name).description(description);
    if (parts.isWanted(name)) (await load())(verb, parts.bind);
    else verb.usage(usage);
  }
}

/** Where `--` stands, or the end: what comes after it is no option. */
function endOfOptions(argv: readonly string[]): number {
  const end = argv.indexOf('--');
  return end === -1 ? argv.length : end;
}

function usageMessage(error: CommanderError): string {
  if (error.code === 'commander.help') return 'no verb is given: outbound --help names them';
  return error.message.replace(/^error: /, '').replaceAll('\n', ' ');
}

/**
 * The environment that the settings are read from: options over environment over file. Without any word on where to
 * look, the file of a running
 * `npm start` is taken, and said aloud.
 */
function settingsEnvironment(
  { env, localEnvFile }: CliHost,
  options: GlobalOptions,
  output: Output,
): Environment {
  const { envFile } = options;
  if (typeof envFile === 'string') return withOptions(overFile(env, readEnvFile(envFile)), options);
  const saysWhere = globalOptions
    .slice(0, 4)
    .some(([flag]) => optionOf(flag, options) !== undefined);
  if (localEnvFile === undefined || saysWhere || hasSettings(env) || !existsSync(localEnvFile))
    return withOptions(env, options);
  output.note(`the pipeline of npm start, from ${localEnvFile}`);
  return withOptions(overFile(env, readEnvFile(localEnvFile)), options);
}

/** The environment with the global options laid over it, under their settings' names. */
function withOptions(env: Environment, options: GlobalOptions): Environment {
  const merged: Record<string, string | undefined> = { ...env };
  for (const [flag, setting] of globalOptions) {
    const value = optionOf(flag, options);
    if (value === undefined) continue;
    merged[`${cliPrefix}${setting}`] = value;
    delete merged[otherForm(`${cliPrefix}${setting}`)];
  }
  return merged;
}

/** A value and its `_FILE` form are one setting. */
function otherForm(name: string): string {
  return name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`;
}

/** The value under the name that commander gives it: `--api-url <url>` is `apiUrl`. */
function optionOf(flag: string, options: GlobalOptions): string | undefined {
  const value = options[new Option(flag).attributeName()];
  return typeof value === 'string' ? value : undefined;
}

function tellError({ err }: CliHost, { code, message }: CliError, isJson: boolean): void {
  err.write(
    isJson
      ? `${JSON.stringify({ error: { code, message } })}\n`
      : `outbound: ${code}: ${safeText(message, '\n\t')}\n`,
  );
}
