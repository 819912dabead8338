import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import type { CliSettings } from '../cli-settings.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import type { AddVerb } from '../verb.ts';
import { valueOrNull } from './part.ts';
import { statusText } from './status-text.ts';
import { StatusReader, type Status } from './status.ts';

const defaultWatchSeconds = 2;

/** `outbound status`: what goes on between Postgres and Kafka, in one look. */
export const addStatus: AddVerb = (verb, bind) => {
  verb
    .option(
      '-w, --watch [seconds]',
      `look again every so often (${defaultWatchSeconds} s), until Ctrl-C`,
      toSeconds,
    )
    .action(
      bind((context, { watch }: { watch?: number | true }) =>
        status(context, watch === true ? defaultWatchSeconds : watch),
      ),
    );
};

async function status(context: CliContext, watchSeconds: number | undefined): Promise<ExitCode> {
  const { settings, signal } = context;
  if (!settings.databaseUrl && !settings.kafkaBrokers && !settings.relayAdminUrl)
    throw new CliError(
      'SETTING_MISSING',
      'nothing says where to look: set OUTBOUND_DATABASE_URL, OUTBOUND_KAFKA_BROKERS and OUTBOUND_RELAY_ADMIN_URL, or name a file with --env-file',
      { exitCode: exitCodes.usage },
    );
  const reader = new StatusReader(context);
  for (;;) {
    const now = await reader.read();
    // Ended by the one who looks, which is how watching ends; what was learnt until then is cut off.
    if (signal.aborted) {
      if (watchSeconds !== undefined) return exitCodes.done;
      signal.throwIfAborted();
    }
    show(context, now, watchSeconds !== undefined);
    if (watchSeconds === undefined)
      return isAnswered(now, settings) ? exitCodes.done : exitCodes.unavailable;
    await sleep(watchSeconds * 1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return exitCodes.done;
  }
}

function show({ output, settings }: CliContext, now: Status, isAgain: boolean): void {
  const text = () =>
    statusText(
      now,
      { slot: settings.slot, publication: settings.publication, nowMs: Date.now() },
      output,
    );
  if (isAgain) output.answerAgain(statusJson(now), text);
  else output.answer(statusJson(now), text);
}

/** Null is unknown; why is in `unknown`, by part. What is not there is `{"exists": false}`. */
export function statusJson(status: Status): Record<string, unknown> {
  const thing = <Value extends object>(value: Value | undefined | null) => {
    if (value === null) return null;
    return value === undefined ? { exists: false } : { exists: true, ...value };
  };
  const kafka = valueOrNull(status.kafka);
  return {
    slot: thing(valueOrNull(status.slot)),
    publication: thing(valueOrNull(status.publication)),
    outbox: valueOrNull(status.outbox),
    relay: valueOrNull(status.relay),
    cluster: kafka?.cluster ?? null,
    topics: kafka?.topics ?? null,
    groups: kafka?.groups ?? null,
    dead_letters: thing(valueOrNull(status.deadLetters)),
    operations: valueOrNull(status.operations),
    unknown: Object.fromEntries(
      Object.entries(status).flatMap(([name, part]: [string, Status[keyof Status]]) =>
        part.isKnown
          ? []
          : [[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), part.why]],
      ),
    ),
  };
}

/** False if a part is unknown that the settings say where to find; what was left out of them is nobody's fault. */
function isAnswered(
  status: Status,
  { databaseUrl, kafkaBrokers, relayAdminUrl }: CliSettings,
): boolean {
  const { slot, publication, outbox, operations, relay, kafka, deadLetters } = status;
  const asked: readonly Status[keyof Status][] = [
    ...(databaseUrl === undefined ? [] : [slot, publication, outbox, operations]),
    ...(kafkaBrokers === undefined ? [] : [kafka, deadLetters]),
    ...(relayAdminUrl === undefined ? [] : [relay]),
  ];
  return asked.every((part) => part.isKnown);
}

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('expected seconds, 0.1 or more');
}
