import { setTimeout as delay } from 'node:timers/promises';
import type * as consumer from '@outbound/consumer';
import type { KafkaCluster } from '@outbound/local-stack';
import { eventually } from '../../support/eventually.ts';
import { seededRandom } from '../../support/random.ts';
import { connectionTo } from '../../support/read-topics.ts';
import { VersionCounter } from './kcat-producer.ts';
import { javaRecords, type JavaRecord } from './java-reader.ts';
import { TopicAdmin } from './topic-admin.ts';
import { TransactionalTraffic } from './transactional-traffic.ts';

/** What a round of states found. */
export interface StateResult {
  readonly seed: number;
  readonly cycles: number;
  readonly committed: number;
  readonly aborted: number;
  /** Records that Java's reader saw, over all cycles, and offsets that cleaning had taken by then. */
  readonly records: number;
  readonly cleaned: number;
  /** What differs from what Java's reader saw, in a sentence each. */
  readonly faults: readonly string[];
}

/** The result in one line. */
export function stateText(result: StateResult): string {
  const { seed, cycles, committed, aborted, records, cleaned, faults } = result;
  return `states, seed ${seed}: ${cycles} cycles, ${committed} transactions committed, ${aborted} aborted, ${records} records read, ${cleaned} offsets cleaned or markers, ${faults.length} faults`;
}

const partitions = 6;
/** Cleaned all the time, down to the newest segment; deletions and markers stay for long enough to be read. */
const cleaning = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.001',
  'max.compaction.lag.ms': '100',
  'segment.ms': '300',
  'delete.retention.ms': '60000',
};

/**
 * A compacted topic that a transactional producer writes to, and aborts, while it is cleaned and its leaders move. When the producer rests, a rebuild, one that has
 * followed since the start, and `readTopics` have to give what Java's reader of committed records sees.
 */
export async function runStateRound(
  kafka: KafkaCluster,
  code: typeof consumer,
  { seed, cycles }: { readonly seed: number; readonly cycles: number },
): Promise<StateResult> {
  const random = seededRandom(seed);
  const topic = `states-${seed}-${Math.floor(performance.now())}`;
  await using admin = await TopicAdmin.connect(kafka.directBootstrap, topic);
  await admin.create(
    new Map(
      Array.from({ length: partitions }, (_, partition) => [
        partition,
        [(partition % 3) + 1, ((partition + 1) % 3) + 1],
      ]),
    ),
    cleaning,
  );
  const versions = new VersionCounter();
  const connection = connectionTo(kafka.bootstrap);
  const following = new AbortController();
  const followed = code.createMemoryStore();
  const follower = code.rebuildAndFollow({
    ...{ connection, topic, store: followed, signal: following.signal, silenceMs: 120_000 },
  });
  const faults: string[] = [];
  follower.catch((error: unknown) => faults.push(`the following rebuild ended: ${String(error)}`));
  const counts = { committed: 0, aborted: 0, records: 0, cleaned: 0 };
  try {
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const traffic = new TransactionalTraffic({
        ...{ bootstrap: kafka.directBootstrap, topic, versions, random },
        tombstones: 0.1,
        keys: 150,
      });
      await delay(3_000 + random() * 3_000);
      await moveOne(admin, random);
      await delay(3_000);
      await traffic.end();
      counts.committed += traffic.committed;
      counts.aborted += traffic.aborted;
      // Cleaning goes on meanwhile: what ours see first, Java's may see less of, and never more.
      const store = code.createMemoryStore();
      await code.rebuildAndFollow({ connection, topic, store, follow: false });
      const read: JavaRecord[] = [];
      const { positions } = await code.readTopics({
        ...{ connection, topics: [topic], until: 'end' },
        onBatch: (records) => {
          for (const { partition, offset, key, value } of records)
            read.push({
              ...{ partition, offset: Number(offset), key: key?.toString() ?? '' },
              value: value?.toString() ?? null,
            });
        },
      });
      const java = await javaRecords(kafka, topic);
      counts.records += java.length;
      for (const [, offset] of positions) counts.cleaned += Number(offset);
      counts.cleaned -= java.length;
      const say = (what: string, found: string[]) => {
        if (found.length > 0)
          faults.push(
            `cycle ${cycle}, ${what}: ${found.length} differ, as ${found.slice(0, 3).join('; ')}`,
          );
      };
      const wanted = lastOfEach(java);
      say('a rebuild', differences(wanted, textOf(store)));
      const behind = () => differences(wanted, textOf(followed));
      await eventually(() => behind().length === 0, { timeoutMs: 60_000 }).catch(() => undefined);
      say('the rebuild that follows', behind());
      say('readTopics, the state', differences(wanted, lastOfEach(read)));
      const seen = new Set(read.map(({ partition, offset }) => `${partition}/${offset}`));
      say(
        'readTopics, the records',
        java
          .map(({ partition, offset }) => `${partition}/${offset}`)
          .filter((place) => !seen.has(place)),
      );
    }
  } finally {
    following.abort();
    await follower.catch(() => undefined);
    await admin.delete();
  }
  return { seed, cycles, ...counts, faults };
}

/** Takes the leader's replica of one partition to another broker. */
async function moveOne(admin: TopicAdmin, random: () => number): Promise<void> {
  const all = await admin.partitions();
  const chosen = all[Math.floor(random() * all.length)];
  if (!chosen) return;
  await admin.reassign(
    new Map([[chosen.partition, [1, 2, 3].filter((node) => node !== chosen.leader)]]),
  );
}

/** The value of each key that is not deleted; keys stay in their partitions, so the order of the list is enough. */
function lastOfEach(records: readonly JavaRecord[]): Map<string, string> {
  const state = new Map<string, string>();
  for (const { key, value } of records)
    if (value === null) state.delete(key);
    else state.set(key, value);
  return state;
}

function textOf(store: consumer.MemoryStore): Map<string, string> {
  return new Map([...store.entries()].map(([key, { value }]) => [key, value.toString()]));
}

/** The keys whose states are not the same, with both versions. */
function differences(wanted: Map<string, string>, found: Map<string, string>): string[] {
  const version = (value: string | undefined) =>
    value === undefined ? 'none' : (/"version":(\d+)/.exec(value)?.[1] ?? 'unreadable');
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((key) => wanted.get(key) !== found.get(key))
    .map((key) => `${key} ${version(found.get(key))} instead of ${version(wanted.get(key))}`);
}
