import type { OutOfRange, TopicPartition } from '@outbound/kafka';
import type { KafkaLog } from '@outbound/service-kit';
import type { Dispatcher } from './dispatcher.ts';

interface LostPositionsOptions {
  readonly dispatcher: Dispatcher;
  /** The fetcher goes on at this offset, in the life that it has or in a new one. */
  readonly fetchFrom: (at: TopicPartition, offset: bigint) => void;
  readonly lookAtTopics: () => void;
  /** How long what runs may take to end. */
  readonly limitMs: number;
  readonly onFailure: (error: unknown) => void;
  readonly log: KafkaLog;
}

/**
 * Positions that Kafka does not have: some of what the group was to read is gone. It is told and counted, and reading goes on with the first
 * record that is there.
 */
export class LostPositions {
  readonly #options: LostPositionsOptions;
  #gaps = 0;

  constructor(options: LostPositionsOptions) {
    this.#options = options;
  }

  /** How often it has happened. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Kafka does not have the position of this partition. */
  lost({ topic, partition }: TopicPartition, { position, logStart, end }: OutOfRange): void {
    const { dispatcher, fetchFrom, lookAtTopics, limitMs, onFailure, log } = this.#options;
    const at = { topic, partition };
    const work = dispatcher.find(at);
    if (!work) return;
    const restart = (offset: bigint): void => {
      dispatcher
        .restart(work, offset, limitMs)
        .then((isBegun) => {
          if (isBegun) fetchFrom(at, offset);
        })
        .catch(onFailure);
    };
    const fields = {
      ...at,
      position: String(position),
      logStart: String(logStart),
      end: String(end),
    };
    // Nothing was read there: nothing is missing.
    if (position > end && work.soughtTo === position && work.tracker.reached === position) {
      log.warn(
        fields,
        'the offset that was sought is behind the end of the partition: it is read on from its end',
      );
      lookAtTopics();
      restart(end);
      return;
    }
    this.#gaps += 1;
    if (position < logStart) {
      log.error(
        fields,
        'events were removed before this group read them: build the state anew from the compacted topic, and raise the retention',
      );
      dispatcher.skip(at, logStart);
      fetchFrom(at, logStart);
      return;
    }
    log.error(
      fields,
      'the partition is shorter than what this group has read of it: it was cut off, or is another one, and is read from its beginning',
    );
    lookAtTopics();
    restart(logStart);
  }
}
