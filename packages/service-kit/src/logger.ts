import pino from 'pino';
import { BufferedLines } from './buffered-lines.ts';
import { hiddenFields, maskUrlCredentials, redact } from './redact.ts';

/** A JSON-lines logger. Message: constant, lower case; facts go into fields named by `LogFields`. */
export type Logger = pino.Logger;

/** The fixed keys of log fields, so that one search finds a thing in every service. */
export interface LogFields {
  readonly component?: string;
  readonly slot?: string;
  /** `16/B374D848`, never the number. */
  readonly lsn?: string;
  readonly xid?: number;
  readonly eid?: string;
  readonly eventType?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: string;
  readonly durationMs?: number;
  readonly attempt?: number;
  readonly code?: string;
  readonly error?: unknown;
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * What a log may say of an error: name, code, message, stack frames and the chain of causes. Left out on purpose: Postgres' `detail`, `where`
 * and parameters, the parameters that drizzle pastes into its message, and what stands in quotes in a message about data, because they hold row values.
 */
export function errorForLog(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return maskUrlCredentials(String(thrown));
  const { code, query } = thrown as { code?: unknown; query?: unknown };
  const told =
    typeof query === 'string' ? thrown.message.replace(/\nparams:[\s\S]*$/, '') : thrown.message;
  const message = quotesValues(thrown) ? told.replace(/"[\s\S]*"/, '"…"') : told;
  const frames = (thrown.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return {
    name: thrown.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: maskUrlCredentials(message),
    stack: frames.join('\n'),
    ...(thrown.cause === undefined || depth >= 5
      ? {}
      : { cause: errorForLog(thrown.cause, depth + 1) }),
    ...(thrown instanceof AggregateError && depth < 5
      ? { errors: thrown.errors.slice(0, 5).map((inner) => errorForLog(inner, depth + 1)) }
      : {}),
  };
}

const warnLevel = pino.levels.values['warn'] ?? 0;

/** Data exceptions and what functions raise (SQLSTATE 22 and P0) quote values; in other messages of Postgres names stand in quotes. */
function quotesValues(thrown: Error): boolean {
  const { code, severity } = thrown as { code?: unknown; severity?: unknown };
  return typeof severity === 'string' && typeof code === 'string' && /^(22|P0)...$/.test(code);
}

/**
 * Creates the root logger of a service: JSON lines on stdout, written synchronously, so that the last line before an exit is not lost.
 * With `isBuffered` lines below `warn` wait for others, some milliseconds at most and never beyond an exit (`BufferedLines`): for who writes one for each of thousands of requests.
 * Hidden fields (`redact.ts`) are replaced, errors under `error` and `err` are cut to what is safe.
 * @param options.write takes a line instead of stdout; for tests.
 * @param options.pretty one readable line per entry, for a person at a terminal. Defaults to false.
 */
export function createLogger({
  service,
  level,
  pretty = false,
  isBuffered = false,
  write,
}: {
  readonly service: string;
  readonly level: LogLevel;
  readonly pretty?: boolean;
  /** Defaults to false. */
  readonly isBuffered?: boolean;
  readonly write?: (line: string) => void;
}): Logger {
  const out = write ?? ((line: string) => void process.stdout.write(line));
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      errorKey: 'error',
      serializers: { error: errorForLog, err: errorForLog },
      formatters: { level: (label) => ({ level: label }), log: redact },
      // Bindings of a child logger pass no formatter, and the message of an error logged alone passes no serializer.
      redact: {
        paths: [...hiddenFields].flatMap((name) => [name, `*.${name}`]),
        censor: '[redacted]',
      },
      hooks: { streamWrite: maskUrlCredentials },
    },
    isBuffered
      ? bufferedStream(new BufferedLines(out))
      : { write: pretty ? (line) => out(prettyLine(line)) : out },
  );
}

/** pino tells such a stream the level of each line. */
function bufferedStream(lines: BufferedLines): pino.DestinationStream {
  const stream = {
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write: (line: string): void => lines.add(line, stream.lastLevel >= warnLevel),
  };
  return stream;
}

/** Logs nothing: a green test run is silent. */
export function quietLogger(): Logger {
  return pino({ level: 'silent' });
}

function prettyLine(line: string): string {
  const { time, level, message, service, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const clock = String(time).slice(11, 23);
  return `${clock} ${String(level).padEnd(5)} ${String(service)}: ${[message, ...fields].join(' ')}\n`;
}
