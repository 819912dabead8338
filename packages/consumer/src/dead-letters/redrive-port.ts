import type { DeadLetter } from './dead-letter.ts';
import type { RedriveBook, RedriveProgress } from './redrive-journal.ts';

/** Port: a dead-letter topic and the journal beside it. Nothing here tries again by itself. */
export interface RedrivePort {
  /** The topic of the journal. */
  readonly topic: string;
  /**
   * The journal up to the end that it has now; undefined where its topic, or that of the letters, does not exist.
   * @throws KafkaError
   */
  look(): Promise<RedriveBook | undefined>;
  /** Writes into the journal; resolves when every replica in sync has it. @throws ConsumerError, KafkaError */
  tell(progress: RedriveProgress): Promise<void>;
  /**
   * Reads partitions of the dead-letter topic from these offsets to the ends that they have now, one after the other,
   * as long as `onLetter` says true. Gives where it ended. Order: after `look`. @throws KafkaError
   */
  read(
    from: ReadonlyMap<number, bigint>,
    onLetter: (letter: DeadLetter) => boolean | Promise<boolean>,
  ): Promise<ReadonlyMap<number, bigint>>;
  /** Which partition a letter with this key is written to now; undefined before `look`. */
  partitionOf(key: string): number | undefined;
  close(): Promise<void>;
}
