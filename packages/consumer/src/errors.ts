import { PipelineError } from '@outbound/service-kit';

/** What can go wrong on the reading side; each message says what to do. */
export type ConsumerErrorCode =
  | 'TOPIC_MISSING'
  | 'READER_STALLED'
  | 'POSITION_UNKNOWN'
  | 'READ_REFUSED'
  | 'STORE_UNUSABLE'
  | 'STATE_UNREADABLE'
  | 'DEAD_LETTER_TOPIC_MISSING'
  | 'DEAD_LETTER_FAILED'
  | 'SUBSCRIPTION_INVALID'
  | 'CONSUMER_CRASHED'
  | 'CONSUMER_STALLED'
  | 'HANDLER_FAILED'
  | 'HANDLER_TIMEOUT'
  | 'STOP_TIMEOUT'
  | 'EVENT_INVALID'
  | 'EVENT_VERSION_UNKNOWN'
  | 'KAFKAJS_VERSION';

/** An error of the reading side. Its message never holds a payload. */
export class ConsumerError extends PipelineError<ConsumerErrorCode> {}
