import {
  partitionKey,
  type CommitEntry,
  type FetchedPartition,
  type TopicLog,
  type TopicPartition,
} from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import { batchBounds } from './batch-bounds.ts';
import { assignedPartitions, encodeAssignment } from './consumer-protocol.ts';
import type { GroupWorld } from './group-world.ts';
import { kafkaCode } from './kafka-codes.ts';
import { withGroup, withLog, withOldAbortedRule } from './planted-ports.ts';
import type { ReadersPlant } from './readers-schedule.ts';

/** A defect that somebody could make in a reader, put in from outside, and the rule whose breach shows it. */
export interface PlantedReaderBug extends ReadersPlant {
  /** Names of rules; the first failure of a schedule that begins with one of them counts as found. */
  readonly breaks: readonly string[];
}

/** Where the batches that this process has fetched end, by partition. */
class Fetched {
  readonly #ends = new Map<string, bigint>();

  log(log: TopicLog): Partial<TopicLog> {
    return {
      fetch: async (nodeId, request) => {
        const answers = await log.fetch(nodeId, request);
        for (const answer of answers) this.#take(answer);
        return answers;
      },
    };
  }

  end(partition: TopicPartition): bigint {
    return this.#ends.get(partitionKey(partition)) ?? 0n;
  }

  #take(answer: FetchedPartition): void {
    const last = batchBounds(answer.recordSet).at(-1);
    if (last) this.#ends.set(partitionKey(answer), BigInt(last.lastOffset + 1));
  }
}

/** Of all readers of one world together: as kafkajs' fetchers went on behind what another one had dropped. */
const fetchedIn = new WeakMap<GroupWorld, Fetched>();

/** A clock that counts the ticks of a timer, and so stands still while the process does. */
function tickingClock(clock: Clock): Clock {
  const tickMs = 50;
  let nowMs = clock.nowMs();
  const tick = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(tickMs);
      nowMs += tickMs;
    }
  };
  tick().catch(() => undefined);
  return {
    nowMs: () => nowMs,
    wallMs: () => clock.wallMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

export const plantedReaderBugs: readonly PlantedReaderBug[] = [
  {
    name: 'drops what waits when a share ends, and goes on where the fetches had got to',
    faults: ['terminate reader', 'kill reader', 'burst'],
    breaks: ['R1', 'R3', 'R4'],
    reads: (reads, _life, world) => {
      const fetched = fetchedIn.get(world) ?? new Fetched();
      fetchedIn.set(world, fetched);
      return withGroup(
        withLog(reads, (log) => fetched.log(log)),
        (group) => ({
          committed: async (partitions) =>
            (await group.committed(partitions)).map((each) => {
              const end = fetched.end(each);
              return each.offset >= 0n && end > each.offset ? { ...each, offset: end } : each;
            }),
        }),
      );
    },
  },
  {
    name: 'takes the next committed transaction for the aborted one whose data cleaning has taken',
    faults: ['clean', 'kill reader'],
    breaks: ['R1', 'R3', 'R4'],
    reads: withOldAbortedRule,
  },
  {
    name: 'commits what it has fetched instead of what it has finished',
    breaks: ['R1'],
    reads: (reads) => {
      const fetched = new Fetched();
      return withGroup(
        withLog(reads, (log) => fetched.log(log)),
        (group) => ({
          commit: (member, entries) =>
            group.commit(
              member,
              entries.map((entry) => {
                const end = fetched.end(entry);
                return end > entry.offset ? { ...entry, offset: end } : entry;
              }),
            ),
        }),
      );
    },
  },
  {
    name: 'takes a failed handler for one that has handled',
    breaks: ['R1', 'R4'],
    assembly: (assembly) => ({
      ...assembly,
      handle: async (call) => {
        try {
          await assembly.handle(call);
        } catch {
          // Swallowed.
        }
      },
    }),
  },
  {
    name: 'commits once more what has gone to another member',
    breaks: ['R2'],
    faults: ['terminate reader', 'burst'],
    reads: (reads) =>
      withGroup(reads, (group) => {
        const last = new Map<string, CommitEntry>();
        return {
          commit: async (member, entries) => {
            for (const entry of entries) last.set(partitionKey(entry), entry);
            const answers = await group.commit(member, [...last.values()]);
            const asked = new Set(entries.map(partitionKey));
            return answers.filter((answer) => asked.has(partitionKey(answer)));
          },
        };
      }),
  },
  {
    name: 'does not commit where it begins when it begins at the end',
    breaks: ['R1'],
    reads: (reads) => {
      const fetched = new Fetched();
      return withGroup(
        withLog(reads, (log) => fetched.log(log)),
        (group) => ({
          commit: async (member, entries) => {
            const isStart = (entry: CommitEntry): boolean => fetched.end(entry) === 0n;
            const rest = entries.filter((entry) => !isStart(entry));
            const answers = rest.length > 0 ? await group.commit(member, rest) : [];
            const kept = entries.filter(isStart).map(({ topic, partition }) => ({
              topic,
              partition,
              errorCode: 0,
            }));
            return [...answers, ...kept];
          },
        }),
      );
    },
  },
  {
    name: 'does not notice that it was suspended for longer than its session',
    faults: ['suspend reader', 'burst'],
    breaks: ['R2'],
    clock: tickingClock,
  },
  {
    name: 'takes heartbeats for answered that were never sent, while it drains',
    breaks: ['R2'],
    reads: (reads) =>
      withGroup(reads, (group) => {
        let isDraining = false;
        return {
          join: (request) => {
            isDraining = false;
            return group.join(request);
          },
          sync: async (member, assignments) => {
            const answer = await group.sync(member, assignments);
            isDraining = true;
            return answer;
          },
          heartbeat: (member) =>
            isDraining ? Promise.resolve({ errorCode: 0 }) : group.heartbeat(member),
        };
      }),
  },
  {
    name: 'commits a lower position after a higher one',
    breaks: ['R1'],
    reads: (reads) =>
      withGroup(reads, (group) => {
        const before = new Map<string, CommitEntry>();
        let count = 0;
        return {
          commit: async (member, entries) => {
            const answers = await group.commit(member, entries);
            count += 1;
            const old = entries.flatMap((entry) => before.get(partitionKey(entry)) ?? []);
            for (const entry of entries) before.set(partitionKey(entry), entry);
            if (count % 4 === 0 && old.length > 0) await group.commit(member, old);
            return answers;
          },
        };
      }),
  },
  {
    name: 'goes on in a topic that was made again as if it were the old one',
    faults: ['make topic again'],
    breaks: ['R1', 'R3', 'R4'],
    reads: (reads) =>
      withLog(reads, (log) => ({
        topics: async (names) =>
          (await log.topics(names)).map((facts) => ({
            ...facts,
            topicId: undefined,
          })),
      })),
  },
  {
    name: 'passes over what retention has removed without a word',
    faults: ['retain', 'kill reader', 'suspend reader'],
    breaks: ['R5'],
    reads: (reads, _life, { cluster }) =>
      withLog(reads, (log) => ({
        fetch: (nodeId, request) =>
          log.fetch(nodeId, {
            ...request,
            positions: request.positions.map((position) => {
              const served = cluster.serve(nodeId, position);
              const start = BigInt(served.partition?.log.startOffset ?? 0);
              return position.offset < start ? { ...position, offset: start } : position;
            }),
          }),
      })),
  },
  {
    name: 'does not hear that a newer process has its instance',
    faults: ['suspend and replace reader', 'burst'],
    breaks: ['R2'],
    reads: (reads) =>
      withGroup(reads, (group) => ({
        heartbeat: async (member) => {
          const { errorCode } = await group.heartbeat(member);
          return {
            errorCode: errorCode === kafkaCode.fencedInstanceId ? 0 : errorCode,
          };
        },
        commit: async (member, entries) =>
          (await group.commit(member, entries)).map((answer) =>
            answer.errorCode === kafkaCode.fencedInstanceId ? { ...answer, errorCode: 0 } : answer,
          ),
      })),
  },
  {
    name: 'goes on with what it has to give up',
    breaks: ['R2'],
    faults: ['terminate reader', 'kill reader', 'burst'],
    reads: (reads) =>
      withGroup(reads, (group) => {
        let before: readonly TopicPartition[] = [];
        return {
          sync: async (member, assignments) => {
            const answer = await group.sync(member, assignments);
            const given = assignedPartitions(answer.assignment);
            const names = new Set(given.map(partitionKey));
            before = [...given, ...before.filter((each) => !names.has(partitionKey(each)))];
            return { ...answer, assignment: encodeAssignment(before) };
          },
        };
      }),
  },
];
