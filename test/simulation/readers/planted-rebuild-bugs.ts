import type { StateStore } from '../../../packages/consumer/src/stores/state-store.ts';
import { withLog, withOldAbortedRule } from './planted-ports.ts';
import type { RebuildPlant } from './rebuild-schedule.ts';

function withStore(store: StateStore, over: Partial<StateStore>): StateStore {
  return {
    positions: () => store.positions(),
    applyBatch: (batch) => store.applyBatch(batch),
    confirm: (atMs) => store.confirm(atMs),
    caughtUp: () => store.caughtUp(),
    clear: (atMs) => store.clear(atMs),
    close: () => store.close(),
    ...over,
  };
}

/** Defects of a rebuild, put in from outside; each breaks R7. */
export const plantedRebuildBugs: readonly RebuildPlant[] = [
  {
    name: 'takes the last stable offset for the end',
    reads: (reads) =>
      withLog(reads, (log) => ({
        offsets: (nodeId, partitions, at) =>
          log.offsets(nodeId, partitions, at === 'end' ? 'stable-end' : at),
      })),
  },
  {
    name: 'takes the next committed transaction for the aborted one whose data cleaning has taken',
    faults: ['clean', 'kill reader'],
    reads: withOldAbortedRule,
  },
  {
    name: 'goes on in a topic that was made again',
    faults: ['make topic again', 'kill reader'],
    found: (disk, cluster) => {
      const partitions = new Map(disk.positions.partitions);
      for (const [partition, position] of partitions) {
        const mark = position.mark.replace(
          /"topic_id":"[^"]+"/,
          `"topic_id":"${cluster.incarnations.at(-1)?.id ?? ''}"`,
        );
        partitions.set(partition, { ...position, mark });
      }
      disk.positions = { ...disk.positions, partitions };
    },
  },
  {
    name: 'keeps a position and not the states before it',
    store: (store) => {
      let batches = 0;
      return withStore(store, {
        applyBatch: (batch) => {
          batches += 1;
          return store.applyBatch(batches % 3 === 0 ? { ...batch, entries: [] } : batch);
        },
      });
    },
  },
  {
    name: 'goes on over what retention removed',
    faults: ['retain', 'kill reader', 'suspend reader'],
    store: (store, cluster) =>
      withStore(store, {
        positions: async () => {
          const found = await store.positions();
          const partitions = new Map(found.partitions);
          for (const [partition, position] of partitions) {
            const { log } = cluster.incarnations.at(-1)?.partitions[partition] ?? {};
            const low = BigInt(log?.startOffset ?? 0);
            if (position.nextOffset < low)
              partitions.set(partition, { ...position, nextOffset: low });
          }
          return { ...found, partitions };
        },
      }),
  },
  {
    name: 'keeps what was deleted',
    store: (store) =>
      withStore(store, {
        applyBatch: (batch) =>
          store.applyBatch({
            ...batch,
            entries: batch.entries.filter(({ value }) => value !== undefined),
          }),
      }),
  },
];
