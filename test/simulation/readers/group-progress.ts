import type { LoggedRecord } from './simulated-log.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

interface GroupProgressOptions {
  readonly from: 'beginning' | 'end';
  /** Every partition there ever was. */
  readonly partitions: () => readonly SimulatedPartition[];
  /** Handled, or as good as that. */
  readonly isDone: (record: LoggedRecord) => boolean;
  readonly fail: (sentence: string) => void;
}

/**
 * How far a group has come, by what its coordinator has taken: R1 nothing unhandled is committed over · R4 in the end all of it was handled ·
 * R5 gaps are told, and only where there are some · R6 no more is fetched than may wait.
 */
export class GroupProgress {
  readonly #options: GroupProgressOptions;
  /** Committed so far, and checked. */
  readonly #committed = new Map<string, number>();
  /** Where the group began in each partition; without an entry at 0. */
  readonly #starts = new Map<string, number>();
  /** Partitions that a topic had when the group first committed on it: later ones are read from their beginning. */
  readonly #counts = new Map<string, number>();
  /** Committed over although never handled, because retention had removed it. */
  readonly overtaken = new Set<string>();

  constructor(options: GroupProgressOptions) {
    this.#options = options;
  }

  /** Whether it is written down where the group begins in it; at the beginning needs no writing. */
  hasBegun({ uid }: SimulatedPartition): boolean {
    return this.#options.from === 'beginning' || this.#committed.has(uid);
  }

  /** Where the group began in it. */
  start({ uid }: Pick<SimulatedPartition, 'uid'>): number {
    return this.#starts.get(uid) ?? 0;
  }

  committed(reader: string, partition: SimulatedPartition, offset: number): void {
    const { uid, log } = partition;
    if (offset > Math.max(partition.committedTo, log.startOffset))
      this.#options.fail(`R1 ${reader} committed ${uid} at ${offset}, behind its end`);
    // Nobody reads on from a position of a topic that is gone.
    if (partition.isDeleted) return;
    const before = this.#committed.get(uid);
    if (before === undefined && this.#options.from === 'end') this.#startsAt(partition, offset);
    const from = before ?? this.start({ uid });
    for (const record of partition.log.recordsFrom(from, offset)) {
      if (this.#options.isDone(record)) continue;
      const where = `${uid} offset ${record.offset} (${record.key} version ${record.version})`;
      // Before its first commit the group begins where the log does, and has lost nothing.
      if (record.isRetired && record.fate === 'committed' && before !== undefined)
        this.overtaken.add(record.eid);
      else if (!record.isRemoved && record.fate !== 'aborted')
        this.#options.fail(
          `R1 ${reader} committed ${uid} at ${offset}, over the unhandled ${where}, ${record.fate}`,
        );
    }
    this.#committed.set(uid, Math.max(before ?? 0, offset));
  }

  /**
   * It asks for more from `offset` on.
   * @param limit events that may be fetched and not handled.
   */
  fetching(reader: string, partition: SimulatedPartition, offset: number, limit: number): void {
    const from = this.reached(partition);
    const waiting = partition.log
      .recordsFrom(from, offset)
      .filter(
        (record) =>
          record.fate === 'committed' && !record.isRemoved && !this.#options.isDone(record),
      );
    if (waiting.length > limit)
      this.#options.fail(
        `R6 ${reader} asks for more of ${partition.uid} while ${waiting.length} events wait, with a limit of ${limit}`,
      );
  }

  /** In the end: what the readers have said of gaps, against what there was. */
  checkGaps(told: { readonly retention: number; readonly versions: readonly string[] }): void {
    if (this.overtaken.size > 0 && told.retention === 0)
      this.#options.fail(
        `R5 retention overtook ${this.overtaken.size} events, and nobody was told`,
      );
    const hasRemoved = this.#options
      .partitions()
      .some(({ log }) => log.records.some(({ isRemoved }) => isRemoved));
    const [first] = told.versions;
    if (first !== undefined && !hasRemoved)
      this.#options.fail(`R5 told of missing versions: ${first}`);
  }

  /** The furthest that the group has committed in it, or where it begins. */
  reached({ uid }: SimulatedPartition): number {
    return this.#committed.get(uid) ?? this.start({ uid });
  }

  /** Partitions with an event that nobody has committed. */
  uncommitted(): string[] {
    return this.#options.partitions().flatMap((partition) => {
      const { log, uid } = partition;
      const last = log.records.findLast(
        ({ offset, fate }) => fate === 'committed' && offset < log.lastStableOffset,
      );
      const isCommitted =
        partition.isDeleted ||
        !last ||
        last.offset < Math.max(this.#committed.get(uid) ?? 0, this.start({ uid }));
      return isCommitted || last.isRemoved ? [] : [`${uid} offset ${last.offset}`];
    });
  }

  /** What is still to be handled, of the topics that are there. */
  missing(): string[] {
    const missing: string[] = [];
    for (const partition of this.#options.partitions()) {
      if (partition.isDeleted) continue;
      if (!this.hasBegun(partition)) continue;
      const { lastStableOffset } = partition.log;
      for (const record of partition.log.recordsFrom(this.start(partition), lastStableOffset))
        if (record.fate === 'committed' && !record.isRemoved && !this.#options.isDone(record))
          missing.push(`${partition.uid} offset ${record.offset}`);
    }
    return missing;
  }

  #startsAt({ uid, partition }: SimulatedPartition, offset: number): void {
    const topic = uid.slice(0, uid.lastIndexOf('/'));
    const ofTopic = this.#options.partitions().filter((each) => each.uid.startsWith(`${topic}/`));
    const count = this.#counts.get(topic) ?? ofTopic.length;
    this.#counts.set(topic, count);
    if (partition < count) this.#starts.set(uid, offset);
  }
}
