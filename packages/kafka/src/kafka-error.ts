import { PipelineError } from '@outbound/service-kit';

/** What can go wrong with Kafka, and what a person does about it; every package's own table of errors goes back to these. */
export const kafkaRemedies = {
  KAFKA_UNAVAILABLE: 'Check that Kafka runs and can be reached; it is tried again by itself.',
  KAFKA_PARTITION_UNAVAILABLE:
    'A partition has no leader or too few replicas in sync: bring the brokers back.',
  KAFKA_AUTH_FAILED: 'Check mechanism, user, password and certificate authority.',
  KAFKA_FORBIDDEN: 'Grant the ACL that the message names.',
  KAFKA_TOPIC_MISSING:
    'Correct the name and the prefix, or create the topic: reading and writing never do.',
  KAFKA_PARTITION_MISSING: 'Name partitions that the topic has.',
  KAFKA_GROUP_NOT_EMPTY: 'Stop the members of the group, and wait until it is empty.',
  KAFKA_TOPIC_CHANGED:
    'The topic was deleted and made again, or has lost confirmed records: compare it with its source.',
  KAFKA_PRODUCER_LOST: 'The brokers no longer know this producer: open another.',
  KAFKA_FENCED: 'Somebody newer has taken this place over: stop, or be the only one.',
  KAFKA_NOT_OURS:
    'Nothing to do: whoever has the partition now goes on from what was committed last.',
  KAFKA_REJECTED: 'Kafka refuses the request for good; the message has the reason.',
  KAFKA_UNSUPPORTED: 'Use brokers from Kafka 3.0 on; the message says what this one lacks.',
  KAFKA_RECORDS_UNREADABLE: 'The message says which partition and what is in the way.',
  KAFKAJS_VERSION: 'Install the version of kafkajs that the lock file names.',
} as const satisfies Readonly<Record<string, string>>;

export type KafkaErrorCode = keyof typeof kafkaRemedies;

/** An error of the Kafka layer. Its message names brokers, topics and codes, never a payload or a secret. */
export class KafkaError extends PipelineError<KafkaErrorCode> {
  /** Kafka's own number, where a broker gave one. */
  readonly kafkaCode: number | undefined;

  constructor(
    code: KafkaErrorCode,
    message: string,
    options?: ErrorOptions & { readonly kafkaCode?: number },
  ) {
    super(code, message, options);
    this.kafkaCode = options?.kafkaCode;
  }
}
