import type { FoundRecord, TopicFinding } from './trace-report.ts';

/** The records of one key, seen in order of offset, and what they say of the event that is looked for. */
export class KeySightings {
  readonly #eid: string | undefined;
  readonly #version: number;
  readonly #isDeletion: boolean;
  #hit: FoundRecord | undefined;
  #newer: FoundRecord | undefined;
  #last: FoundRecord | undefined;

  constructor(focus: {
    readonly eid: string | undefined;
    readonly version: number;
    readonly dataOp: string;
  }) {
    this.#eid = focus.eid;
    this.#version = focus.version;
    this.#isDeletion = focus.dataOp === 'D';
  }

  see(record: FoundRecord): void {
    this.#last = record;
    if (this.#hit === undefined && this.#isIt(record)) this.#hit = record;
    else if (record.version !== undefined && record.version > this.#version) this.#newer = record;
  }

  /** True when nothing that comes later could change the answer. */
  get isDone(): boolean {
    return this.#eid !== undefined && this.#hit !== undefined;
  }

  /**
   * @param mayHaveExpired whether the topic's retention has removed records of that time
   */
  finding({
    cleanupPolicy,
    mayHaveExpired,
  }: {
    readonly cleanupPolicy: 'delete' | 'compact';
    readonly mayHaveExpired: boolean;
  }): Pick<TopicFinding, 'status' | 'record'> {
    const hit = this.#hit ?? this.#tombstoneOfState();
    if (hit) return { status: 'found', record: hit };
    // A tombstone carries no version: that it is the last of the key, and not the event looked for, means that it came later.
    const later =
      this.#newer ?? (this.#last?.isTombstone && !this.#isDeletion ? this.#last : undefined);
    if (later && cleanupPolicy === 'compact') return { status: 'superseded', record: later };
    return { status: mayHaveExpired ? 'expired' : 'absent', record: undefined };
  }

  #isIt({ eid, version }: FoundRecord): boolean {
    return this.#eid === undefined ? version === this.#version : eid === this.#eid;
  }

  /** Without an event id the state is looked for: of a deleted row that is a tombstone behind everything else. */
  #tombstoneOfState(): FoundRecord | undefined {
    return this.#eid === undefined && this.#isDeletion && this.#last?.isTombstone === true
      ? this.#last
      : undefined;
  }
}
