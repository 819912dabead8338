import type { KafkaRecord } from '@outbound/consumer';
import { keyBytes, keyText } from '@outbound/kafka';
import { murmur2 } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin, type KafkaAdmin } from '../kafka/kafka-admin.ts';
import { readPartitions } from '../kafka/read-partitions.ts';
import { stateTopicOf, topicNamed } from '../kafka/topic-name.ts';
import { readableLine } from '../records/readable-line.ts';
import { recordJson } from '../records/record-json.ts';
import { entityOf, jsonValueOf } from '../records/record-value.ts';
import { safeText } from '../records/safe-text.ts';
import type { AddVerb } from '../verb.ts';
import { KeyIndex } from './key-index.ts';
import { meets, parseCondition, type Condition } from './where.ts';

interface Options {
  readonly deleted?: true;
  readonly where?: readonly string[];
}

/** One partition to read from its beginning to the end that it has now. */
interface Reading {
  readonly topic: string;
  readonly from: ReadonlyMap<number, bigint>;
  readonly onRecords: (records: readonly KafkaRecord[]) => void;
}

/** `outbound latest TOPIC [KEY…]`: the current value of each key of a compacted topic. */
export const addLatest: AddVerb = (verb, bind) => {
  verb
    .argument('<topic>', 'a compacted topic')
    .argument('[keys...]', 'only these keys; only their partitions are read')
    .option('--deleted', 'the deleted keys instead, as long as their tombstones are kept')
    .option('--where <field=value>', 'only entities with this value; may be repeated', collect)
    .addHelpText(
      'after',
      `
With keys: their state in the order asked for, one value in memory for each; exit code 3 if a key is not there, or was deleted. A key that is no text is
asked for as \\x and its bytes in hexadecimal digits (\\xfffe0001).
Without: the topic is read twice, partition by partition, with about 100 bytes in memory for each key of a partition.

  outbound latest catalog.product 0198c0de-…
  outbound latest catalog.product --where status=ACTIVE --where price.currency=EUR`,
    )
    .action(bind(latest));
};

async function latest(
  context: CliContext,
  name: string,
  keys: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const conditions = (options.where ?? []).map(parseCondition);
  if (options.deleted && conditions.length > 0)
    throw new CliError(
      'OPTIONS_CONTRADICT',
      '--deleted and --where: a tombstone has no fields, so leave one of them out',
      { exitCode: exitCodes.usage },
    );
  const connection = context.kafka();
  const topic = topicNamed(name, eventTypes, context.settings.topicPrefix);
  const admin = await openKafkaAdmin(connection);
  context.onClose(() => admin.close());
  await refuseUncompacted(admin, topic, context);
  const read = async (reading: Reading) =>
    readPartitions({ connection, ...reading, until: 'end', signal: context.signal });
  const lows = new Map(
    (await admin.topicRanges(topic)).map(({ partition, low }) => [partition, low]),
  );
  return keys.length > 0
    ? ofKeys(context, { topic, keys, lows, read, ...options })
    : ofAll(context, { topic, lows, read, conditions, deleted: options.deleted === true });
}

/** A topic that is kept by time holds changes, not the state: the last one of a key may be gone already. */
async function refuseUncompacted(
  admin: KafkaAdmin,
  topic: string,
  { settings }: CliContext,
): Promise<void> {
  const policy = (await admin.topicConfig(topic, ['cleanup.policy'])).get('cleanup.policy');
  if (policy?.split(',').some((each) => each.trim() === 'compact') === true) return;
  const state = stateTopicOf(topic, eventTypes, settings.topicPrefix);
  throw new CliError(
    'TOPIC_NOT_COMPACTED',
    `topic ${topic} is not compacted (cleanup.policy ${policy ?? 'unknown'}), so the last record of a key need not be there: ${
      state === undefined ? `see outbound tail ${topic} -e` : `ask for ${state}`
    }`,
    { exitCode: exitCodes.usage },
  );
}

async function ofKeys(
  { output, signal }: CliContext,
  asked: {
    readonly topic: string;
    readonly keys: readonly string[];
    readonly lows: ReadonlyMap<number, bigint>;
    readonly read: (reading: Reading) => Promise<void>;
    readonly deleted?: true;
  },
): Promise<ExitCode> {
  const { topic, lows } = asked;
  const wanted = new Set(asked.keys);
  const partitions = new Set(
    asked.keys.map((key) => (murmur2(keyBytes(key)) & 0x7fffffff) % lows.size),
  );
  const found = new Map<string, KafkaRecord>();
  await asked.read({
    topic,
    from: new Map([...lows].filter(([partition]) => partitions.has(partition))),
    onRecords: (records) => {
      for (const record of records) {
        const key = record.key === null ? undefined : keyText(record.key);
        if (key !== undefined && wanted.has(key)) found.set(key, kept(record));
      }
    },
  });
  if (signal.aborted) return exitCodes.interrupted;
  let isComplete = true;
  for (const key of wanted) {
    const record = found.get(key);
    if (record === undefined || (record.value === null) !== (asked.deleted === true))
      isComplete = false;
    if (record === undefined) {
      const missing = JSON.stringify({ topic, key, found: false });
      output.raw(output.isJson ? `${missing}\n` : `${safeText(key)} is not in ${topic}\n`);
    } else output.raw(textOf(output, record));
  }
  return isComplete ? exitCodes.done : exitCodes.differs;
}

async function ofAll(
  { output, signal }: CliContext,
  asked: {
    readonly topic: string;
    readonly lows: ReadonlyMap<number, bigint>;
    readonly read: (reading: Reading) => Promise<void>;
    readonly conditions: readonly Condition[];
    readonly deleted: boolean;
  },
): Promise<ExitCode> {
  const { deleted, conditions } = asked;
  const isShown = (record: KafkaRecord) =>
    (record.value === null) === deleted &&
    (conditions.length === 0 || meets(entityOf(jsonValueOf(record)), conditions));
  let shown = 0;
  let keys = 0;
  for (const [partition, low] of asked.lows) {
    const index = new KeyIndex();
    const reading = { topic: asked.topic, from: new Map([[partition, low]]) };
    await asked.read({
      ...reading,
      onRecords: (records) => {
        for (const { key, offset } of records)
          if (key !== null) index.note(key.toString('latin1'), offset);
      },
    });
    keys += index.size;
    if (signal.aborted) return exitCodes.interrupted;
    await asked.read({
      ...reading,
      onRecords: (records) => {
        const current = records.filter(
          (record) =>
            record.key !== null &&
            index.takeIfLast(record.key.toString('latin1'), record.offset) &&
            isShown(record),
        );
        shown += current.length;
        if (current.length > 0) output.raw(current.map((each) => textOf(output, each)).join(''));
      },
    });
    if (signal.aborted) return exitCodes.interrupted;
  }
  output.note(
    `${shown} of ${keys} keys in ${asked.topic}${deleted ? ' are deleted, with a tombstone that is still there' : ' shown'}`,
  );
  return exitCodes.done;
}

/** A copy: the record's bytes are views of a whole answer of the broker's, which would stay in memory with it. */
function kept(record: KafkaRecord): KafkaRecord {
  const copy = (bytes: Buffer | null) => bytes && Buffer.from(bytes);
  const { topic, partition, offset, timestampMs, headers } = record;
  const headerList = record.headerList().map(({ name, value }) => ({ name, value: copy(value) }));
  return {
    ...{ topic, partition, offset, timestampMs, headers },
    key: copy(record.key),
    value: copy(record.value),
    headerList: () => headerList,
  };
}

function textOf(output: CliContext['output'], record: KafkaRecord): string {
  const value = jsonValueOf(record);
  return `${output.isJson ? recordJson(record, value) : readableLine(record, value, output.colors)}\n`;
}

function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}
