import type { ParkedKeys } from '../../../packages/consumer/src/dead-letters/parked-keys.ts';
import type { RedrivePort } from '../../../packages/consumer/src/dead-letters/redrive-port.ts';
import { withGroup } from './planted-ports.ts';
import type { PlantedReaderBug } from './planted-reader-bugs.ts';
import type { ReadersFeatures } from './readers-features.ts';
import type { ReaderAssembly } from './subscription-reader.ts';

/** A dead-letter topic that fails often. */
const deadLetters: ReadersFeatures['deadLetters'] = {
  ...{ poison: 0.1, ms: 20, failures: 0.2, attempts: 1 },
};

/** Another journal of redrives, and another way to its letters, in the methods that are given. */
function withRedrive(
  assembly: ReaderAssembly,
  over: (redrive: RedrivePort) => Partial<RedrivePort>,
): ReaderAssembly {
  const { deadLetters: letters } = assembly;
  if (!letters?.redrive) return assembly;
  const redrive = { ...letters.redrive, ...over(letters.redrive) };
  return { ...assembly, deadLetters: { ...letters, redrive } };
}

/** Other parked keys in the place of these, in the methods that are given. */
function withKeys(
  assembly: ReaderAssembly,
  over: (keys: ParkedKeys) => Partial<ParkedKeys>,
): ReaderAssembly {
  const { deadLetters: letters } = assembly;
  if (!letters) return assembly;
  return {
    ...assembly,
    deadLetters: { ...letters, keys: { ...letters.keys, ...over(letters.keys) } },
  };
}

/** Defects in what a subscription has beside one topic whose events are tried until they are handled. */
export const plantedFeatureBugs: readonly PlantedReaderBug[] = [
  {
    name: 'takes a dead letter for sent that was not taken',
    breaks: ['R1'],
    features: { deadLetters },
    assembly: (assembly) => {
      const { deadLetters: letters } = assembly;
      if (!letters) return assembly;
      const { sender } = letters;
      const send = (record: Parameters<typeof sender.send>[0]): Promise<void> =>
        sender.send(record).catch(() => undefined);
      return { ...assembly, deadLetters: { ...letters, sender: { ...sender, send } } };
    },
  },
  {
    name: 'tells the event for which a key is parked as one that waits behind it',
    breaks: ['R7'],
    features: { deadLetters },
    assembly: (assembly) =>
      withKeys(assembly, (keys) => ({
        parkedFor: async (scope, key) => {
          const event = await keys.parkedFor(scope, key);
          return event && { eid: 'of another one', place: undefined };
        },
      })),
  },
  {
    name: 'forgets which keys are parked when it starts',
    breaks: ['R7'],
    features: { deadLetters },
    faults: ['terminate reader', 'kill reader', 'burst'],
    assembly: (assembly) =>
      withKeys(assembly, (keys) => ({
        list: async (scope) => {
          await keys.list(scope);
          return new Set();
        },
      })),
  },
  {
    name: 'parks keys of a partition that another one was given',
    breaks: ['R7'],
    features: { deadLetters, redrives: false },
    faults: ['suspend and replace reader', 'isolate reader', 'burst'],
    assembly: (assembly) =>
      withKeys(assembly, (keys) => ({
        park: (scope, key, event) => keys.park(scope, key, event),
      })),
  },
  {
    name: 'frees a key without a look at what came since',
    breaks: ['R7'],
    features: { deadLetters, redrives: true },
    faults: ['burst'],
    assembly: (assembly) =>
      withRedrive(assembly, (redrive) => {
        let hasRead = false;
        return {
          look: () => {
            hasRead = false;
            return redrive.look();
          },
          read: (from, onLetter) => {
            if (hasRead) return Promise.resolve(from);
            hasRead = true;
            return redrive.read(from, onLetter);
          },
        };
      }),
  },
  {
    name: 'does not write down what it has redriven',
    breaks: ['R3', 'R7'],
    features: { deadLetters, redrives: true },
    faults: ['terminate reader', 'burst'],
    assembly: (assembly) =>
      withRedrive(assembly, (redrive) => ({
        tell: (progress) => redrive.tell({ ...progress, done: {} }),
      })),
  },
  {
    name: 'goes on one event behind where it was sought to',
    breaks: ['R8'],
    features: { acts: ['seek back'], deadLetters: undefined },
    faults: ['burst'],
    control: (control) => ({
      ...control,
      seek: (partition, offset) => control.seek(partition, offset + 1n),
    }),
  },
  {
    name: 'hands out events of a partition that is paused',
    breaks: ['R8'],
    features: { acts: ['pause partition'], deadLetters: undefined },
    faults: ['burst'],
    control: (control) => ({ ...control, pause: () => undefined }),
  },
  {
    name: 'commits the position of one topic for another one',
    breaks: ['R1'],
    features: { topics: 2 },
    reads: (reads) =>
      withGroup(reads, (group) => ({
        commit: async (member, entries) => {
          const first = entries.find(({ topic }) => !topic.startsWith('other.'))?.topic;
          const answers = await group.commit(
            member,
            entries.map((entry) =>
              first !== undefined && entry.topic.startsWith('other.')
                ? { ...entry, topic: first, metadata: '' }
                : entry,
            ),
          );
          return entries.map(({ topic, partition }, index) => ({
            ...{ topic, partition },
            errorCode: answers[index]?.errorCode ?? 0,
          }));
        },
      })),
  },
];
