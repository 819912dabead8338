import type { Lsn } from '../wal/lsn.ts';
import type { SourcePosition } from '../wal/source-position.ts';

interface RefusedSize {
  readonly bytes: number;
  /** It holds for what commits before; undefined as long as nobody has asked how far the log was written. */
  readonly untilLsn: Lsn | undefined;
}

/**
 * From which size on topics refuse records, as their refusals teach: every larger record of the log is refused as
 * well, so a backlog of them costs a session for each that is smaller than those before it, and not one for each. It
 * holds for what was in the log when it was learnt. What is written later is tried: the topic may take more by then.
 * No clock, no I/O.
 */
export class RefusedSizes {
  readonly #topics = new Map<string, RefusedSize>();

  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  /** A record of so many bytes, in a batch of its own and not compressed, was too large. */
  refuse(topic: string, bytes: number): void {
    const before = this.#topics.get(topic)?.bytes ?? Infinity;
    this.#topics.set(topic, { bytes: Math.min(before, bytes), untilLsn: undefined });
  }

  /** The log is written so far, asked for after the refusals that are known. */
  writtenUpTo(lsn: Lsn): void {
    for (const [topic, { bytes, untilLsn = lsn }] of this.#topics)
      this.#topics.set(topic, { bytes, untilLsn });
  }

  /** Nothing that commits before `lsn` comes again. */
  confirmedUpTo(lsn: Lsn): void {
    for (const [topic, { untilLsn }] of this.#topics)
      if (untilLsn !== undefined && untilLsn <= lsn) this.#topics.delete(topic);
  }

  /** Records of this place in the log that take so many bytes are refused by the topic; undefined where nothing is known. */
  from(topic: string, { commitLsn }: SourcePosition): number | undefined {
    const size = this.#topics.get(topic);
    return size && commitLsn < (size.untilLsn ?? commitLsn) ? size.bytes : undefined;
  }
}
