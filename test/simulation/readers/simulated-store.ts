import type {
  StateBatch,
  StateStore,
  StorePositions,
} from '../../../packages/consumer/src/stores/state-store.ts';
import { isOlder } from '../../../packages/consumer/src/stores/memory-store.ts';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';

/** The state of one key, and the record that it is of. */
export interface StoredState {
  readonly key: string;
  readonly version: number | undefined;
  readonly eid: string;
}

/** What a store's disk holds: it outlives the processes. */
export interface StoreDisk {
  readonly states: Map<string, StoredState>;
  positions: StorePositions;
}

export function emptyDisk(): StoreDisk {
  return {
    states: new Map(),
    positions: { partitions: new Map(), currentAtMs: 0 },
  };
}

/** A store of one process: each step takes its time, and is done or not when the process dies in it; some fail, before or after they were done. */
export class SimulatedStore implements StateStore {
  readonly #disk: StoreDisk;
  readonly #life: Life;
  readonly #chance: Chance;
  readonly #failures: () => number;
  readonly #onApplied: (batch: StateBatch) => void;

  constructor(parts: {
    readonly disk: StoreDisk;
    readonly life: Life;
    readonly chance: Chance;
    /** Probability that a step fails, now. */
    readonly failures: () => number;
    readonly onApplied: (batch: StateBatch) => void;
  }) {
    this.#disk = parts.disk;
    this.#life = parts.life;
    this.#chance = parts.chance;
    this.#failures = parts.failures;
    this.#onApplied = parts.onApplied;
  }

  positions(): Promise<StorePositions> {
    return this.#step(() => this.#disk.positions);
  }

  applyBatch(batch: StateBatch): Promise<void> {
    return this.#step(() => {
      const { states, positions } = this.#disk;
      for (const { key, version, value } of batch.entries) {
        if (isOlder(version, states.get(key)?.version)) continue;
        if (value === undefined) states.delete(key);
        else states.set(key, { key, version, eid: eidOf(value) });
      }
      const partitions = new Map(positions.partitions);
      for (const position of batch.positions) partitions.set(position.partition, position);
      this.#disk.positions = { ...positions, partitions };
      this.#onApplied(batch);
    });
  }

  confirm(currentAtMs: number): Promise<void> {
    return this.#step(() => {
      this.#disk.positions = { ...this.#disk.positions, currentAtMs };
    });
  }

  caughtUp(): Promise<void> {
    return this.#step(() => undefined);
  }

  clear(atMs: number): Promise<void> {
    return this.#step(() => {
      this.#disk.states.clear();
      this.#disk.positions = { partitions: new Map(), currentAtMs: atMs };
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #step<T>(act: () => T): Promise<T> {
    await this.#life.clock.sleep(this.#chance.between(0, 15));
    if (!this.#life.act()) return new Promise(() => undefined);
    if (!this.#chance.happens(this.#failures())) return act();
    if (this.#chance.happens(0.5)) act();
    throw new Error('the store fails as it was told to');
  }
}

function eidOf(value: Buffer): string {
  const { metadata } = JSON.parse(value.toString()) as {
    metadata: { eid: string };
  };
  return metadata.eid;
}
