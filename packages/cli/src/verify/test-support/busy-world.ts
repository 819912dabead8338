import { contentHash } from '../content-hash.ts';
import { murmur2 } from '@outbound/contract';
import type { RowState } from '../entity-states.ts';
import type { KeyedRow, VerifyPorts } from '../verify-ports.ts';
import type { SeenRecord } from '../topic-view.ts';

/** Partitions of the world's topic. */
export const partitions = 3;

interface Row {
  readonly version: number;
  readonly isDeleted: boolean;
  readonly name: string;
}

interface LoggedEvent {
  readonly id: string;
  readonly row: Row;
  isVisible: boolean;
}

/**
 * A database, a relay and a compacted topic in memory that move whenever verification waits: rows are written, commits
 * reach the log before they are visible, the relay
 * publishes, confirms, crashes and publishes again. What it promises is what the real ones promise (I1 to I6), and
 * nothing more. Repeats with its random numbers.
 */
export class BusyWorld {
  readonly #random: () => number;
  /** Entities that traffic may write. */
  readonly #busy: readonly string[];
  readonly #rows = new Map<string, Row>();
  /** Committed events; the index is the position in the log. Watermarks take a place too. */
  readonly #log: (LoggedEvent | undefined)[] = [];
  readonly #topic: SeenRecord[] = [];
  #published = 0;
  #confirmed = 0;
  isRelayStopped = false;
  /** Steps taken while verification ran. */
  steps = 0;

  constructor(random: () => number, busy: readonly string[]) {
    this.#random = random;
    this.#busy = busy;
  }

  row(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /**
   * Commits a change; others see it only after `makeVisible`. Nothing happens while an earlier commit of the entity is
   * not visible: its row is locked.
   */
  write(id: string, op: 'write' | 'delete' | 'snapshot'): void {
    if (this.#log.some((event) => event?.id === id && !event.isVisible)) return;
    const old = this.#rows.get(id);
    if ((old === undefined || old.isDeleted) && op !== 'write') return;
    const row: Row =
      op === 'snapshot' && old
        ? old
        : {
            version: (old?.version ?? 0) + 1,
            isDeleted: op === 'delete',
            name: `name ${Math.floor(this.#random() * 4)}`,
          };
    this.#log.push({ id, row, isVisible: false });
  }

  makeVisible(position: number): void {
    const event = this.#log[position];
    if (!event || event.isVisible) return;
    event.isVisible = true;
    this.#rows.set(event.id, event.row);
  }

  /** Everything committed is visible. */
  showAll(): void {
    for (let position = 0; position < this.#log.length; position += 1) this.makeVisible(position);
  }

  /** Everything committed is visible, published and confirmed. */
  settle(): void {
    this.showAll();
    while (this.#published < this.#log.length) this.#publish();
    this.#confirmed = this.#published;
  }

  /** Appends a record behind everybody's back. */
  append(key: string, value: string | null, partition = partitionOf(key)): void {
    this.#topic.push({
      partition,
      offset: BigInt(this.#topic.length),
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    });
  }

  /** Takes all records of a key away. */
  erase(key: string): void {
    const kept = this.#topic.filter((record) => record.key?.toString() !== key);
    this.#topic.splice(0, this.#topic.length, ...kept);
  }

  /** Changes a row without an event. */
  setRow(id: string, row: Row | undefined): void {
    if (row) this.#rows.set(id, row);
    else this.#rows.delete(id);
  }

  /** How verification sees this world; `plant` breaks it in a way that must be noticed. */
  ports(plant: Partial<VerifyPorts> = {}): VerifyPorts {
    const real: VerifyPorts = {
      readTopic: (view) => {
        this.move();
        const records = this.#topic.slice();
        // Partition by partition, and things move in between.
        for (let partition = 0; partition < partitions; partition += 1) {
          const own = records.filter((record) => record.partition === partition);
          const high = (own.at(-1)?.offset ?? -1n) + 1n;
          const from = view.nextOffset(partition, { low: 0n, high });
          view.take(own.filter(({ offset }) => offset >= from));
          this.move();
        }
        return Promise.resolve();
      },
      scanRows: (onRows) => {
        let last = '';
        for (;;) {
          this.move();
          const page = [...this.#rows.keys()]
            .sort()
            .filter((id) => id > last)
            .slice(0, 2);
          if (page.length === 0) return Promise.resolve();
          onRows(page.flatMap((id): KeyedRow[] => this.#keyedRow(id)));
          last = page.at(-1) ?? '';
        }
      },
      readRows: (ids) => {
        this.move();
        const rows = new Map<string, RowState>();
        for (const id of ids) for (const { row } of this.#keyedRow(id)) rows.set(id, row);
        this.move();
        return Promise.resolve(rows);
      },
      outboxHashes: (versions) => {
        this.move();
        return Promise.resolve(
          new Map(
            versions.map(({ id, version }) => [
              id,
              this.#log.flatMap((event) =>
                event?.isVisible &&
                event.id === id &&
                event.row.version === version &&
                !event.row.isDeleted
                  ? [contentHash(dataOf(id, event.row))]
                  : [],
              ),
            ]),
          ),
        );
      },
      passWatermark: () => {
        this.move();
        const watermark = this.#log.push(undefined);
        // A commit returns after those before it.
        this.showAll();
        if (this.isRelayStopped)
          return Promise.resolve({ isPassed: false, why: 'stopped', behindBytes: 1n });
        while (this.#confirmed < watermark) this.#step();
        this.move();
        return Promise.resolve({ isPassed: true });
      },
    };
    return { ...real, ...plant };
  }

  /** Lets time pass. */
  move(): void {
    for (let count = Math.floor(this.#random() * 8); count > 0; count -= 1) this.#step();
  }

  #step(): void {
    this.steps += 1;
    const chance = this.#random();
    const id = this.#busy[Math.floor(this.#random() * this.#busy.length)];
    if (chance < 0.3 && id !== undefined) {
      const op = this.#random();
      this.write(id, op < 0.7 ? 'write' : op < 0.85 ? 'delete' : 'snapshot');
    } else if (chance < 0.55) this.makeVisible(Math.floor(this.#random() * this.#log.length));
    else if (chance < 0.9) this.#publish();
    else if (chance < 0.97) this.#confirmed = this.#published;
    // A crash: what was not confirmed is published again.
    else this.#published = this.#confirmed;
  }

  #publish(): void {
    if (this.#published >= this.#log.length || this.isRelayStopped) return;
    const event = this.#log[this.#published];
    this.#published += 1;
    if (event) this.append(event.id, event.row.isDeleted ? null : valueOf(event.id, event.row));
  }

  #keyedRow(id: string): KeyedRow[] {
    const row = this.#rows.get(id);
    if (!row) return [];
    const { version, isDeleted } = row;
    return [
      {
        id,
        row: isDeleted
          ? { form: 'deleted', version }
          : { form: 'live', version, hash: contentHash(dataOf(id, row)) },
      },
    ];
  }
}

/** The value of a record that says this row. */
export function valueOf(
  id: string,
  row: { readonly version: number; readonly name: string },
): string {
  return JSON.stringify({ metadata: {}, data_op: 'U', data: dataOf(id, row) });
}

export function partitionOf(key: string): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

function dataOf(
  id: string,
  { version, name }: { readonly version: number; readonly name: string },
) {
  return { id, name, version };
}
