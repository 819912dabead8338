import { PipelineError } from '@outbound/service-kit';

/** What can go wrong on the reading side, and what to do about it; `docs/errors.md` is made of it. */
export const consumerRemedies = {
  TOPIC_MISSING: 'Correct the name of the topic and its prefix, or create it; reading never does.',
  DEAD_LETTER_TOPIC_MISSING: 'Create the dead-letter topic before the subscription starts.',
  SUBSCRIPTION_INVALID: 'Correct the options that the message names.',
  EVENT_INVALID:
    'The value does not follow the declared schema: poison. Mend its producer, or declare what happens to poison.',
  EVENT_VERSION_UNKNOWN:
    'Deploy a consumer that knows this major version of the schema, or declare unknownVersion.',
  HANDLER_FAILED: 'Mend the handler; the event was not committed and comes again.',
  HANDLER_TIMEOUT: 'Mend the handler, or declare a longer handlerTimeoutMs.',
  DEAD_LETTER_FAILED:
    'See that the dead-letter topic can be written to; the event was not committed and comes again.',
  CONSUMER_CRASHED: 'Start the process again; the cause is in the message.',
  RECORDS_SKIPPED:
    'A defect of the reader: what was read does not follow what was read before. Nothing behind it is committed: start the process again, and report it.',
  PARTITION_NOT_OURS: 'Ask for partitions that the subscription has now: see its `partitions`.',
  STOP_TIMEOUT: 'Handlers did not end in time; their events come again.',
  READER_STALLED: 'See that the leader of the named partition is up.',
  TRANSACTION_OPEN:
    'Find the open transaction of the named partition (kafka-transactions.sh describe-producers), and let its producer end it, or abort it; then read again.',
  POSITION_UNKNOWN:
    'The topic was made anew, or has lost its end: begin again from nothing (rebuild --restart).',
  READ_REFUSED: "Kafka refuses to be read: check the ACLs, and the message's code.",
  STORE_UNUSABLE:
    'The store belongs to another topic, another writer or another program: name another.',
  STORE_WENT_BACK:
    'Again and again the store was behind what was written into it: see why its server crashes or is replaced, or who clears it; then start again, it goes on from what is there.',
  STORE_UNAVAILABLE:
    'See that the database of the store runs and can be reached, then start again: it goes on from where it was.',
  STORE_FAILED:
    'The store could not write, for the reason that the message names; what it had before stays.',
  STATE_UNREADABLE:
    'The topic holds no states of the declared form, or the named record is not JSON: name a compacted topic of ours, or mend its producer.',
  REBUILD_OVERTAKEN:
    'Raise the setting of the topic that the message names above the time that a rebuild takes, or rebuild into a faster store.',
} as const satisfies Readonly<Record<string, string>>;

export type ConsumerErrorCode = keyof typeof consumerRemedies;

/** An error of the reading side. Its message never holds a payload. */
export class ConsumerError extends PipelineError<ConsumerErrorCode> {}
