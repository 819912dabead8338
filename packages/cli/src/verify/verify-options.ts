import type { StoredAggregate } from '@outbound/outbox';
import { storedAggregates } from '@outbound/schemas';
import { CliError, exitCodes } from '../exit-codes.ts';

/** The options as commander gives them. */
export interface VerifyOptions {
  readonly repair?: boolean;
  readonly yes?: boolean;
  readonly every?: string;
  readonly metricsPort?: string;
  readonly metricsHost: string;
  readonly maxIds: string;
  readonly wait: string;
  readonly rounds: string;
}

/** The options, understood. */
export interface VerifyRequest {
  readonly aggregates: readonly StoredAggregate[];
  readonly isRepair: boolean;
  readonly everyMs: number | undefined;
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly maxIds: number;
  readonly patienceMs: number;
  readonly maxRounds: number;
}

/**
 * What is asked for. Without a name: every aggregate.
 * @throws CliError USAGE, exit 2. `--repair` with `--every` is refused: damage that comes back has a cause, and wants a
 * person.
 */
export function verifyRequest(names: readonly string[], options: VerifyOptions): VerifyRequest {
  const everyMs =
    options.every === undefined ? undefined : durationMs('--every', options.every, 1_000);
  if (options.repair === true && everyMs !== undefined)
    throw usage(
      '--repair does not go with --every: damage that comes back has a cause; look at it, then repair once',
    );
  if (options.metricsPort !== undefined && everyMs === undefined)
    throw usage('--metrics-port is for --every: a single run answers and ends');
  return {
    aggregates:
      names.length === 0 ? [...storedAggregates.values()] : unique(names).map(aggregateNamed),
    isRepair: options.repair === true,
    everyMs,
    metrics:
      options.metricsPort === undefined
        ? undefined
        : {
            host: options.metricsHost,
            port: integer('--metrics-port', options.metricsPort, 0, 65_535),
          },
    maxIds: integer('--max-ids', options.maxIds, 0, 1_000_000),
    patienceMs: durationMs('--wait', options.wait, 0),
    // A difference that a commit which is not visible yet could explain takes two.
    maxRounds: integer('--rounds', options.rounds, 2, 1_000),
  };
}

/** `500ms`, `60s`, `5m`, `2h` in milliseconds. @throws CliError USAGE */
export function durationMs(flag: string, text: string, atLeastMs: number): number {
  const match = /^(\d{1,7})(ms|s|m|h)$/.exec(text);
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const value = match ? Number(match[1]) * unitMs[match[2] as keyof typeof unitMs] : NaN;
  if (!(value >= atLeastMs && value < 2 ** 31))
    throw usage(
      `${flag}: "${text}" is no time of ${atLeastMs} ms to 24 days; write 500ms, 60s, 5m or 2h`,
    );
  return value;
}

function integer(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max))
    throw usage(`${flag}: "${text}" is no whole number from ${min} to ${max}`);
  return value;
}

function aggregateNamed(name: string): StoredAggregate {
  const aggregate = storedAggregates.get(name);
  if (!aggregate)
    throw usage(
      `there is no aggregate "${name}"; there are ${[...storedAggregates.keys()].join(', ')}`,
    );
  return aggregate;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

function usage(message: string): CliError {
  return new CliError('USAGE', message, { exitCode: exitCodes.usage });
}
