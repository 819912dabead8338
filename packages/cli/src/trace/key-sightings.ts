import type { FoundRecord, TopicFinding } from './trace-report.ts';

/** The records of one key, seen in order of offset, and what they say of the event that is looked for. */
export class KeySightings {
  readonly #eid: string | undefined;
  readonly #version: number;
  readonly #isDeletion: boolean;
  readonly #isCompacted: boolean;
  #hit: FoundRecord | undefined;
  #newer: FoundRecord | undefined;
  #last: FoundRecord | undefined;

  constructor(
    focus: {
      readonly eid: string | undefined;
      readonly version: number;
      readonly dataOp: string;
    },
    cleanupPolicy: 'delete' | 'compact',
  ) {
    this.#isCompacted = cleanupPolicy === 'compact';
    this.#eid = focus.eid;
    this.#version = focus.version;
    this.#isDeletion = focus.dataOp === 'D';
  }

  see(record: FoundRecord): void {
    this.#last = record;
    if (this.#hit === undefined && this.#isIt(record)) this.#hit = record;
    else if (record.version !== undefined && record.version > this.#version) this.#newer = record;
  }

  /**
   * True when nothing that comes later could change the answer; on a compacted topic anything can, since only the last
   * record of a key will stay.
   */
  get isDone(): boolean {
    return this.#eid !== undefined && this.#hit !== undefined && !this.#isCompacted;
  }

  /**
   * @param mayHaveExpired whether the topic's retention has removed records of that time
   */
  finding({
    mayHaveExpired,
  }: {
    readonly mayHaveExpired: boolean;
  }): Pick<TopicFinding, 'status' | 'record'> {
    const hit = this.#hit ?? this.#tombstoneOfState();
    // The event went out, and something older behind it: compaction will keep that, so the state is not there.
    if (hit && this.#isCompacted && this.#isOlder(this.#last))
      return { status: 'absent', record: undefined };
    if (hit) return { status: 'found', record: hit };
    const later = this.#newer ?? this.#laterTombstone();
    if (later && this.#isCompacted) return { status: 'superseded', record: later };
    return { status: mayHaveExpired ? 'expired' : 'absent', record: undefined };
  }

  #isOlder(record: FoundRecord | undefined): boolean {
    return record?.version !== undefined && record.version < this.#version;
  }

  /**
   * One without a version (before tombstones had one) that is the last of the key, and not the event looked for, came
   * later.
   */
  #laterTombstone(): FoundRecord | undefined {
    const last = this.#last;
    return last?.isTombstone === true && last.version === undefined && !this.#isDeletion
      ? last
      : undefined;
  }

  #isIt({ eid, version }: FoundRecord): boolean {
    return this.#eid === undefined ? version === this.#version : eid === this.#eid;
  }

  /** Without an event id the state is looked for: of a deleted row that is a tombstone behind everything else. */
  #tombstoneOfState(): FoundRecord | undefined {
    return this.#eid === undefined &&
      this.#isDeletion &&
      this.#last?.isTombstone === true &&
      !this.#isOlder(this.#last)
      ? this.#last
      : undefined;
  }
}
