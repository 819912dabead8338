import type { OutboxRow, Entity } from '@outbound/outbox';
import { ApiError } from '../../errors.ts';
import type { Aggregate } from '../aggregate.ts';
import { fromDatabaseError, uniqueConflict } from '../database-errors.ts';
import {
  created,
  deleted,
  notFound,
  patchedInput,
  putInput,
  recreated,
  replaced,
  type EntityChange,
} from '../entity-change.ts';
import type { EntityRow } from '../entity-rows.ts';
import { assertPreconditions } from '../preconditions.ts';
import {
  targetKey,
  uniqueKeysOf,
  type BulkItem,
  type ItemOutcome,
  type UniqueKey,
} from './bulk-item.ts';

/** What a plan starts from, as it is under the locks. */
export interface Standing {
  /** By id: every entity that an item names and that there is, deleted ones too. */
  readonly rows: ReadonlyMap<string, EntityRow>;
  /** Who has the keys that items are about; `keyText` to id. */
  readonly holders: ReadonlyMap<string, string>;
}

/** What planning needs from around it. */
export interface Surroundings {
  readonly now: Date;
  readonly newId: () => string;
  /** The event of a change. @throws PipelineError EVENT_TOO_LARGE */
  readonly eventOf: (change: EntityChange) => OutboxRow;
}

/** One version of one entity to write. */
export interface PlannedWrite extends EntityChange {
  readonly isNew: boolean;
  readonly event: OutboxRow;
  /**
   * When: a statement changes a row once, and looks at unique keys row by row in an order of its own. So what changes an entity again, or takes a key that another change frees,
   * comes in a later wave than that one. Usually all are 0.
   */
  readonly wave: number;
}

type Item = Exclude<BulkItem, { readonly error: ApiError }>;
type Done = Extract<ItemOutcome, { readonly entity: Entity }>;

/** One text for a key, to find it by. */
export function keyText({ field, value }: UniqueKey): string {
  return `${field}\0${value}`;
}

/**
 * Decides what becomes of items that come one after the other, each upon what those before it have left, as if each had been sent alone (Zalando rule 152). Nothing is written here.
 */
export class ChunkPlan {
  readonly #aggregate: Aggregate;
  readonly #around: Surroundings;
  readonly #rows: Map<string, EntityRow>;
  readonly #holders: Map<string, string>;
  /** First wave in which an entity, or a key that was freed, can be written. */
  readonly #openFrom = new Map<string, number>();
  readonly #writes: PlannedWrite[] = [];

  constructor(aggregate: Aggregate, standing: Standing, around: Surroundings) {
    this.#aggregate = aggregate;
    this.#around = around;
    this.#rows = new Map(standing.rows);
    this.#holders = new Map(standing.holders);
  }

  /** What has to be written so far, in the order of the items. */
  get writes(): readonly PlannedWrite[] {
    return this.#writes;
  }

  /** Decides on the next item. */
  add(item: BulkItem): ItemOutcome {
    if ('error' in item) return item;
    try {
      return this.#decide(item);
    } catch (thrown) {
      const error = fromDatabaseError(thrown, this.#aggregate);
      if (error instanceof ApiError) return { error };
      throw error;
    }
  }

  #decide(item: Item): Done {
    const aggregate = this.#aggregate;
    const { now, newId } = this.#around;
    if (item.op === 'create')
      return this.#write('created', created(now, aggregate, newId(), item.input));
    const key = targetKey(aggregate, item);
    const id = 'id' in item.target ? item.target.id : key && this.#holders.get(keyText(key));
    const row = id === undefined ? undefined : this.#rows.get(id);
    const live = row?.deletedAt === null ? row : undefined;
    if (live === undefined && item.op !== 'put') throw notFound(aggregate, key?.field);
    assertPreconditions(item.conditions, live?.version ?? null);
    if (item.op === 'put') {
      const input = putInput(aggregate, live, item.sent, item.body);
      if (live !== undefined) return this.#replace(live, input);
      return this.#write(
        'created',
        row === undefined
          ? created(now, aggregate, id ?? newId(), input)
          : recreated(now, aggregate, row, input),
      );
    }
    if (live === undefined) throw notFound(aggregate, key?.field);
    if (item.op === 'delete') return this.#write('deleted', deleted(now, aggregate, live));
    return this.#replace(live, patchedInput(aggregate, live, item.patch));
  }

  #replace(row: EntityRow, input: unknown): Done {
    const change = replaced(this.#around.now, this.#aggregate, row, input);
    if (change === undefined) return { did: 'changed', entity: this.#aggregate.toEntity(row) };
    return this.#write('changed', change);
  }

  #write(did: Done['did'], change: EntityChange): Done {
    const { row, entity } = change;
    const before = this.#rows.get(row.id);
    const had = this.#keysOf(before);
    const has = this.#keysOf(row);
    const taken = [...has].filter(([text]) => !had.has(text));
    for (const [text, { field }] of taken)
      if (this.#holders.has(text)) throw uniqueConflict(this.#aggregate, field);
    const event = this.#around.eventOf(change);
    const waits = [row.id, ...taken.map(([text]) => text)];
    const wave = Math.max(...waits.map((what) => this.#openFrom.get(what) ?? 0));
    this.#openFrom.set(row.id, wave + 1);
    for (const text of had.keys())
      if (!has.has(text)) {
        this.#holders.delete(text);
        this.#openFrom.set(text, wave + 1);
      }
    for (const [text] of taken) this.#holders.set(text, row.id);
    this.#rows.set(row.id, row);
    this.#writes.push({ ...change, isNew: before === undefined, event, wave });
    return { did, entity };
  }

  /** The keys that the row holds: none, if it is deleted. */
  #keysOf(row: EntityRow | undefined): ReadonlyMap<string, UniqueKey> {
    if (row === undefined || row.deletedAt !== null) return new Map();
    return new Map(uniqueKeysOf(this.#aggregate, row).map((key) => [keyText(key), key]));
  }
}
