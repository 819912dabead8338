import type { KafkaAdmin } from '../kafka/kafka-admin.ts';
import type { GroupOffset } from '../kafka/kafka-admin.ts';
import type { FoundRecord, GroupProgress } from './trace-report.ts';

/** Groups that are asked at the same time. */
const atOnce = 8;

/** What every group of the cluster has committed, by its name. */
export async function allGroupOffsets(
  admin: KafkaAdmin,
): Promise<ReadonlyMap<string, readonly GroupOffset[]>> {
  const names = (await admin.groups()).map(({ group }) => group);
  const offsets = new Map<string, readonly GroupOffset[]>();
  for (let at = 0; at < names.length; at += atOnce)
    await Promise.all(
      names
        .slice(at, at + atOnce)
        .map(async (group) => offsets.set(group, await admin.groupOffsets(group))),
    );
  return offsets;
}

/** How far each group that reads the topic is, seen from one record of it. */
export function groupProgress(
  offsets: ReadonlyMap<string, readonly GroupOffset[]>,
  topic: string,
  record: Pick<FoundRecord, 'partition' | 'offset'>,
): GroupProgress[] {
  const progress: GroupProgress[] = [];
  for (const [group, committedOffsets] of offsets) {
    const onTopic = committedOffsets.filter((each) => each.topic === topic);
    if (onTopic.length === 0) continue;
    const committed = onTopic.find(({ partition }) => partition === record.partition)?.offset;
    const hasPassed = committed === undefined ? undefined : committed > record.offset;
    progress.push({
      group,
      committed,
      hasPassed,
      lag:
        committed === undefined || hasPassed === true ? undefined : record.offset - committed + 1n,
    });
  }
  return progress.sort((a, b) => (a.group < b.group ? -1 : 1));
}
