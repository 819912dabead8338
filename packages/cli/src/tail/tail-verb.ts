import type { KafkaRecord } from '@outbound/consumer';
import { eventTypes } from '@outbound/schemas';
import { InvalidArgumentError } from 'commander';
import type { CliContext } from '../context.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';
import { topicNamed } from '../kafka/topic-name.ts';
import { readableLine } from '../records/readable-line.ts';
import { recordJson } from '../records/record-json.ts';
import { jsonValueOf } from '../records/record-value.ts';
import type { AddVerb } from '../verb.ts';
import { compileFormat } from './format.ts';
import { parseOffsetSpec } from './offset-spec.ts';
import { recordFilter } from './record-filter.ts';
import { tailPlan } from './tail-plan.ts';

interface Options {
  readonly key?: string;
  readonly partition?: number;
  readonly offset?: string;
  readonly count?: number;
  readonly format?: string;
  readonly exit?: true;
  readonly grep?: string;
}

/** `outbound tail TOPIC`: the records of a topic as they come, with kcat's manners. */
export const addTail: AddVerb = (verb, bind) => {
  verb
    .argument('<topic>', 'a topic, or an event type for its topic with every change')
    .option(
      '-k, --key <key>',
      'only this key; only its partition is read, where Java puts it (-p for another)',
    )
    .option('-p, --partition <n>', 'only this partition', wholeNumber)
    .option(
      '-o, --offset <place>',
      'where to begin: beginning, end, OFFSET, -N (the last N of each partition), @TIME (RFC 3339 or milliseconds since 1970); default: end, and with -e beginning',
    )
    .option('-c, --count <n>', 'end after so many records', wholeNumber)
    .option('-f, --format <format>', "kcat's tokens: %t %p %o %k %K %s %S %T %h %{header} \\n …")
    .option('-e, --exit', 'end at the end that the topic has now, instead of waiting for more')
    .option('--grep <text>', 'only records with this text in key, headers or value')
    .addHelpText(
      'after',
      `
A line is: time, partition:offset, key, data_op, version, size, and the beginning of the entity. With --json each record is one object,
its value with every digit that it had; a value that is not JSON comes as value_base64. A key that is no text is shown, and asked for with -k, as
\\x and its bytes in hexadecimal digits (\\xfffe0001).

  outbound tail catalog.product-change -o -5
  outbound tail catalog.product -k 0198c0de-… -o beginning -e
  outbound tail catalog.product-change -o @2026-03-01T12:00:00Z -f '%p:%o %k %{ce_id}\\n'`,
    )
    .action(bind(tail));
};

async function tail(context: CliContext, name: string, options: Options): Promise<ExitCode> {
  const { output, signal, settings } = context;
  const start = parseOffsetSpec(options.offset ?? (options.exit ? 'beginning' : 'end'));
  const format =
    options.format === undefined
      ? undefined
      : compileFormat(options.format, { toTerminal: output.isTerminal });
  const connection = context.kafka();
  const topic = topicNamed(name, eventTypes, settings.topicPrefix);
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  const ranges = await admin.topicRanges(topic);
  const from = tailPlan({
    ...{ topic, ranges, start },
    ...(start.kind === 'time' ? { offsetsAtTime: await admin.offsetsAt(topic, start.timeMs) } : {}),
    ...(options.key === undefined ? {} : { key: options.key }),
    ...(options.partition === undefined ? {} : { partition: options.partition }),
  });
  const isShown = recordFilter({ key: options.key, text: options.grep });
  const textOf = (record: KafkaRecord) => {
    if (output.isJson) return `${recordJson(record, jsonValueOf(record))}\n`;
    if (format) return format(record);
    return `${readableLine(record, jsonValueOf(record), output.colors)}\n`;
  };
  const enough = new AbortController();
  let left = options.count ?? Number.POSITIVE_INFINITY;
  if (left === 0) return exitCodes.done;
  if (output.isTerminal && !options.exit)
    output.note(
      `following ${topic}, ${from.size === 1 ? `partition ${[...from.keys()].join('')}` : `${from.size} partitions`}, from ${options.offset ?? 'its end'}: Ctrl-C ends`,
    );
  await readPartitions({
    ...{ connection, topic, from },
    until: options.exit ? 'end' : 'forever',
    signal: AbortSignal.any([signal, enough.signal]),
    onRecords: (records) => {
      // One write for a batch: a write for each record would cost more than all the rest.
      let text = '';
      for (const record of records) {
        if (left === 0) break;
        if (!isShown(record)) continue;
        text += textOf(record);
        left -= 1;
      }
      if (text !== '' && !signal.aborted) output.raw(text);
      if (left === 0) enough.abort();
    },
  });
  // Following has no other end than Ctrl-C: it is how it ends well, as with kcat.
  return exitCodes.done;
}

/** An option's value as a number from 0 on. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 0 on.');
  return Number(text);
}
