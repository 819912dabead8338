import { PipelineError, readConfig, type Environment } from '@outbound/service-kit';
import { Command, CommanderError, Option } from 'commander';
import { cliPrefix, cliSchema, foreignPrefixes } from './cli-settings.ts';
import { Output, type TextStream } from './console/output.ts';
import { CliContext } from './context.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './exit-codes.ts';
import type { AddVerb, Bind } from './verb.ts';

/** Options of every verb; they win over the environment. */
const globalOptions: readonly (readonly [flag: string, setting: string, help: string])[] = [
  ['--database-url <url>', 'DATABASE_URL', 'Postgres, as outbound_operator or a superuser'],
  ['--brokers <list>', 'KAFKA_BROKERS', 'Kafka, host:port separated by commas'],
  ['--api-url <url>', 'API_URL', 'the catalog API'],
  ['--relay-admin-url <url>', 'RELAY_ADMIN_URL', "the relay's admin port"],
  ['--slot <name>', 'SLOT', 'replication slot of the relay'],
  ['--topic-prefix <text>', 'TOPIC_PREFIX', 'put before every topic name'],
];

/** What the process gives to the command line. */
export interface CliHost {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly out: TextStream;
  readonly err: TextStream;
  readonly signal: AbortSignal;
  readonly version: string;
}

/**
 * Runs `outbound` and gives its exit code; see `exitCodes`. Errors are one sentence on standard error (an object with `code` and
 * `message` with --json), never a stack; `OUTBOUND_*` settings that do not exist are refused.
 */
export async function runCli(host: CliHost, verbs: readonly AddVerb[]): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.done;
  const program = new Command('outbound')
    .description('Looks into, moves and proves what goes from Postgres to Kafka.')
    .version(host.version, '-V, --version')
    .option('--json', 'answer in JSON, one object a line')
    .showHelpAfterError('(outbound --help says more)')
    .configureOutput({
      writeOut: (text) => host.out.write(text),
      writeErr: (text) => host.err.write(text),
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
  const bind: Bind =
    (run) =>
    async (...parameters) => {
      const options = program.opts<Record<string, string | boolean | undefined>>();
      const output = new Output({
        out: host.out,
        err: host.err,
        isJson: options['json'] === true,
        noColor: Boolean(host.env['NO_COLOR']),
      });
      const context = new CliContext({
        settings: readConfig(cliPrefix, cliSchema, withOptions(host.env, options), {
          otherPrefixes: foreignPrefixes,
        }),
        output,
        signal: host.signal,
        isProduction: host.env['NODE_ENV'] === 'production',
      });
      try {
        exitCode = await run(context, ...parameters);
      } finally {
        await context.close();
      }
    };
  for (const add of verbs) add(program, bind);
  try {
    await program.parseAsync([...host.argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError)
      return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (host.signal.aborted) return exitCodes.interrupted;
    tellError(host, thrown, program.opts<{ json?: boolean }>().json === true);
    return exitCodeOf(thrown);
  }
}

/** The environment with the global options laid over it, under their settings' names. */
function withOptions(
  env: Environment,
  options: Readonly<Record<string, string | boolean | undefined>>,
): Environment {
  const merged: Record<string, string | undefined> = { ...env };
  for (const [flag, setting] of globalOptions) {
    const name = /^--([a-z-]+)/
      .exec(flag)?.[1]
      ?.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = name === undefined ? undefined : options[name];
    if (typeof value === 'string') {
      merged[`${cliPrefix}${setting}`] = value;
      delete merged[`${cliPrefix}${setting}_FILE`];
    }
  }
  return merged;
}

function tellError({ err }: CliHost, thrown: unknown, isJson: boolean): void {
  const code = thrown instanceof PipelineError ? String(thrown.code) : 'FAILED';
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  err.write(
    isJson
      ? `${JSON.stringify({ error: { code, message } })}\n`
      : `outbound: ${code}: ${message}\n`,
  );
}
