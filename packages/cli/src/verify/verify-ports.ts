import type { ContentHash } from './content-hash.ts';
import type { RowState } from './entity-states.ts';
import type { TopicView } from './topic-view.ts';

/** A row of the table, by its key. */
export interface KeyedRow {
  readonly id: string;
  readonly row: Exclude<RowState, { form: 'none' }>;
}

/** A version of an entity. */
export interface EntityVersion {
  readonly id: string;
  readonly version: number;
}

/** Whether the relay has delivered what was committed before the question. */
export type Delivery =
  | { readonly isPassed: true }
  | {
      readonly isPassed: false;
      /** One sentence: what stands in the way, and what to do. */
      readonly why: string;
      /** Bytes of log that are not confirmed; undefined if unknown. */
      readonly behindBytes: bigint | undefined;
    };

/** What verification asks of the world. The real ones are in table-side.ts and topic-side.ts. */
export interface VerifyPorts {
  /** Gives the view every record between where it stands and the topic's end at the time of the call. */
  readTopic(view: TopicView): Promise<void>;
  /**
   * Every row, in id order, in pages: each page as it is when it is read. A row that comes or goes meanwhile may be
   * left out.
   */
  scanRows(onRows: (rows: readonly KeyedRow[]) => void): Promise<void>;
  /** These rows as they are now; `{form: 'none'}` is left out. */
  readRows(ids: readonly string[]): Promise<ReadonlyMap<string, RowState>>;
  /**
   * Hash of `data` of the outbox rows of these versions, as far as they are kept; a version of several events
   * (snapshots) has several.
   */
  outboxHashes(
    versions: readonly EntityVersion[],
  ): Promise<ReadonlyMap<string, readonly ContentHash[]>>;
  /**
   * Writes a watermark into the log and waits until the relay has confirmed it: then every event that was committed
   * before the call is in the topic (I6).
   */
  passWatermark(): Promise<Delivery>;
}
