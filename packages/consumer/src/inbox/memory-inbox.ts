import type { ApplyOutcome, SeenEvent } from './seen-event.ts';

export interface MemoryInbox {
  /**
   * Makes the effect if the event is new, by the rules of the Postgres inbox. It counts as seen when `effect` has returned; events of one key must
   * come one after the other, as `subscribe` hands them out.
   */
  apply(event: SeenEvent, effect: () => Promise<void> | void): Promise<ApplyOutcome>;
  /** Entities and event ids that are remembered. */
  readonly size: { readonly keys: number; readonly eventIds: number };
}

/**
 * Remembers what was seen in memory, for projections that live and die with the process. Bounded: beyond the bounds what was seen longest ago is
 * forgotten, and would be taken for new if it came again. So choose `maxKeys` above the number of entities.
 * @param options.maxKeys defaults to 1,000,000.
 * @param options.maxEventIds for events without a version; defaults to 100,000.
 */
export function createMemoryInbox({
  maxKeys = 1_000_000,
  maxEventIds = 100_000,
}: { readonly maxKeys?: number; readonly maxEventIds?: number } = {}): MemoryInbox {
  // A Map keeps the order of insertion: the first is the one that was renewed longest ago.
  const versions = new Map<string, number>();
  const eventIds = new Set<string>();
  return {
    async apply({ eid, dataType, key, version }, effect) {
      if (version === undefined) {
        const id = nameOf(dataType, eid);
        if (eventIds.has(id)) return 'seen';
        await effect();
        eventIds.add(id);
        dropFirst(eventIds, maxEventIds);
        return 'applied';
      }
      const entity = nameOf(dataType, key);
      const seen = versions.get(entity);
      if (seen !== undefined && seen >= version) return 'seen';
      await effect();
      versions.delete(entity);
      versions.set(entity, version);
      dropFirst(versions, maxKeys);
      return 'applied';
    },
    get size() {
      return { keys: versions.size, eventIds: eventIds.size };
    },
  };
}

/** One text for two, and never the same for others: the length says where the first one ends. */
function nameOf(dataType: string, id: string): string {
  return `${dataType.length} ${dataType}${id}`;
}

function dropFirst(
  kept: { readonly size: number; keys(): Iterator<string>; delete(key: string): boolean },
  max: number,
): void {
  if (kept.size <= max) return;
  const first = kept.keys().next();
  if (!first.done) kept.delete(first.value);
}
