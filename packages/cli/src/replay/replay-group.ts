import { eventTypes } from '@outbound/schemas';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes, type ExitCode } from '../exit-codes.ts';
import { openKafkaAdmin, type KafkaAdmin, type PartitionOffset } from '../kafka/kafka-admin.ts';
import { topicNamed } from '../kafka/topic-name.ts';
import { recorded } from '../operations/operation.ts';
import { findEvent } from './find-event.ts';
import {
  groupMoves,
  parsePlace,
  refuseRunningGroup,
  type GroupMove,
  type Place,
  type PlaceOptions,
} from './group-plan.ts';

export interface ReplayGroupOptions extends PlaceOptions {
  readonly partition?: readonly string[];
  readonly yes?: boolean;
}

/** `outbound replay group`: sets where an empty group goes on in a topic. Shows what will come again first. */
export async function replayGroup(
  context: CliContext,
  group: string,
  name: string,
  options: ReplayGroupOptions,
): Promise<ExitCode> {
  const place = parsePlace(options);
  const topic = topicNamed(name, eventTypes, context.settings.topicPrefix);
  const pool = await context.database();
  const admin = await openKafkaAdmin(context.kafka());
  context.onClose(() => admin.close());
  refuseRunningGroup((await admin.groups()).find((each) => each.group === group));
  const ranges = await admin.topicRanges(topic);
  const committed = new Map(
    (await admin.groupOffsets(group)).flatMap(({ topic: each, partition, offset }) =>
      each === topic && offset !== undefined ? [[partition, offset] as const] : [],
    ),
  );
  if (committed.size === 0)
    throw new CliError(
      'GROUP_UNKNOWN',
      `group ${group} has committed nothing on ${topic}: check both names (outbound status)`,
      { exitCode: exitCodes.usage },
    );
  const targets = await targetsOf(context, admin, topic, place);
  const chosen = choosePartitions(targets, options.partition);
  const moves = groupMoves(ranges, committed, chosen);
  context.output.note(preview(context, group, topic, moves));
  await context.confirm(`Set group ${group} on ${topic}?`, { yes: options.yes === true });
  const parameters = { what: 'group', group, topic, ...placeFacts(place) };
  return recorded(pool, { verb: 'replay', parameters }, async ({ id }) => {
    await admin.setGroupOffsets(
      group,
      topic,
      moves.map(({ partition, to }) => ({ partition, offset: to })),
    );
    context.output.answer(
      {
        operation: id,
        group,
        topic,
        partitions: moves.map(({ partition, from, to, again }) => ({
          partition,
          from: from === null ? null : Number(from),
          to: Number(to),
          again: again === null ? null : Number(again),
        })),
      },
      `group ${group} goes on from there when it starts again`,
    );
    return exitCodes.done;
  });
}

async function targetsOf(
  context: CliContext,
  admin: KafkaAdmin,
  topic: string,
  place: Place,
): Promise<readonly PartitionOffset[]> {
  if (place.kind === 'time') return admin.offsetsAt(topic, place.timeMs);
  if (place.kind === 'offset')
    return (await admin.topicRanges(topic)).map(({ partition }) => ({
      partition,
      offset: place.offset,
    }));
  const found = await findEvent({
    pool: await context.database(),
    connection: context.kafka(),
    admin,
    topic,
    eid: place.eid,
    signal: context.signal,
  });
  // Between partitions there is no order but time.
  return (await admin.offsetsAt(topic, found.timestampMs)).map(({ partition, offset }) => ({
    partition,
    offset: partition === found.partition ? found.offset : offset,
  }));
}

function choosePartitions(
  targets: readonly PartitionOffset[],
  wanted: readonly string[] | undefined,
): readonly PartitionOffset[] {
  if (wanted === undefined) return targets;
  return wanted.map((text) => {
    const target = targets.find(({ partition }) => String(partition) === text);
    if (target) return target;
    throw new CliError('PARTITION_MISSING', `there is no partition ${text}`, {
      exitCode: exitCodes.usage,
    });
  });
}

function placeFacts(place: Place): Readonly<Record<string, string>> {
  if (place.kind === 'time') return { toTime: new Date(place.timeMs).toISOString() };
  return place.kind === 'offset' ? { toOffset: String(place.offset) } : { toEvent: place.eid };
}

function preview(
  { output }: CliContext,
  group: string,
  topic: string,
  moves: readonly GroupMove[],
): string {
  const shown = (value: bigint | null) => (value === null ? '?' : String(value));
  return [
    `group ${group} on ${topic}: "again" counts offsets, so it is at the most; negative ones are passed over`,
    output.table(
      ['partition', 'from', 'to', 'again'],
      moves.map(({ partition, from, to, again }) => [
        String(partition),
        shown(from),
        String(to),
        shown(again),
      ]),
    ),
  ].join('\n');
}
