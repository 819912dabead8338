import type { DataOp, EventType } from '@outbound/contract';
import type { z } from 'zod';

/** Where a record stands, and what came with it besides its value. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** The record's time by its producer or broker, as the topic says; milliseconds since 1970. */
  readonly timestampMs: number;
  /** Aggregate id: the record's key as text, so that different bytes are different texts (`keyText`); empty where a record has no key. */
  readonly key: string;
  /** Headers as UTF-8 text; of a repeated one the last. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The whole record value of an event type, parsed. */
export type ValueOf<Type extends EventType> = z.output<Type['value']>;

/** `data` of a data-change event: the entity. */
export type DataOf<Type extends EventType> =
  ValueOf<Type> extends { readonly data: infer Data } ? Data : unknown;

interface EventIdentity extends RecordPlace {
  /**
   * Event id: the same on every delivery of the event, on every topic and in every replay. A record from elsewhere that carries none is
   * called by its place and time, `topic/partition/offset@timestampMs`: unique also where the topic was made again.
   */
  readonly eid: string;
  /** What kind of entity it is about, as its type declares it: one for all major versions of the type. With the key it names the entity. */
  readonly dataType: string;
  /** True for an event that was published again on purpose; its id and version are those of the first time. */
  readonly isReplay: boolean;
  /** Orders the events of one key; undefined where the record does not say it. */
  readonly version: number | undefined;
}

/**
 * An event with its value, of the shape and types that are declared; limits and lists of codes are the producer's to keep (`readingForm`). Fields that the
 * declaration does not know are kept and mean nothing.
 */
export interface ValueEvent<Type extends EventType> extends EventIdentity {
  readonly dataOp: DataOp;
  readonly value: ValueOf<Type>;
  readonly data: DataOf<Type>;
}

/** A deletion on a compacted topic: the key, and that nothing is there any more. */
export interface TombstoneEvent extends EventIdentity {
  readonly dataOp: 'D';
  readonly value: undefined;
  readonly data: undefined;
}

/** What a handler is given. `data === undefined` tells the tombstone. */
export type ConsumedEvent<Type extends EventType = EventType> = ValueEvent<Type> | TombstoneEvent;
