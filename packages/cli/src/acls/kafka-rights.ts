import { redriveTopic } from '@outbound/consumer';
import {
  deadLetterTopics,
  declaredTopics,
  withTopicPrefix,
  type EventTypeRegistry,
} from '@outbound/contract';

/** Who works with Kafka. */
export type KafkaRole = 'relay' | 'provision' | 'operator' | 'consumer';

export type KafkaOperation = 'Create' | 'Describe' | 'DescribeConfigs' | 'Read' | 'Write';

/** Operations that one role needs on some resources of one kind. Read and Write include Describe (Kafka, "Authorization and ACLs"). */
export interface KafkaRight {
  readonly role: KafkaRole;
  readonly resource: 'topic' | 'group' | 'transactional-id';
  /** Of a transactional id the beginning, since its end is a hash of the database. */
  readonly pattern: 'literal' | 'prefixed';
  readonly names: readonly string[];
  readonly operations: readonly KafkaOperation[];
  /** What it is for, in one line. */
  readonly why: string;
}

/** A pipeline, as far as its rights go. */
export interface PipelineRights {
  /** Without their prefix. */
  readonly eventTypes: EventTypeRegistry;
  readonly topicPrefix: string;
  /** Replication slot of the relay: it begins the transactional id. */
  readonly slot: string;
  /** Consumer groups, with what they read, and where they put what they cannot handle. */
  readonly groups: readonly ConsumerRights[];
}

export interface ConsumerRights {
  readonly group: string;
  /** With their prefix; empty: every declared one. */
  readonly topics: readonly string[];
  readonly deadLetters: string | undefined;
}

/**
 * The least that a pipeline needs of Kafka, from its declarations: each right that is taken away makes something fail that says so (`test/least-privilege.kafka.test.ts`). No wildcard, and nothing on the
 * cluster.
 */
export function kafkaRights({
  eventTypes,
  topicPrefix,
  slot,
  groups,
}: PipelineRights): readonly KafkaRight[] {
  const declared = declaredTopics(withTopicPrefix(eventTypes, topicPrefix).values());
  const published = declared.map(({ topic }) => topic);
  const changes = declared.flatMap((each) => (each.cleanupPolicy === 'delete' ? [each.topic] : []));
  const { deadLetters, parkedKeys } = deadLetterTopics(topicPrefix);
  const own = [deadLetters.topic, parkedKeys.topic];
  const letters = groups.flatMap((each) => each.deadLetters ?? []);
  const journals = letters.map(redriveTopic);
  const read = unique(groups.flatMap(({ topics }) => (topics.length === 0 ? published : topics)));
  const names = groups.map(({ group }) => group);
  const right = (
    role: KafkaRole,
    resource: KafkaRight['resource'],
    of: readonly string[],
    operations: readonly KafkaOperation[],
    why: string,
    pattern: KafkaRight['pattern'] = 'literal',
  ): readonly KafkaRight[] =>
    of.length === 0 ? [] : [{ role, resource, pattern, names: unique(of), operations, why }];
  return [
    ...right(
      'provision',
      'topic',
      [...published, ...own],
      ['Create', 'DescribeConfigs', 'Describe'],
      'makes the declared topics and compares those that are there',
    ),
    ...right(
      'relay',
      'topic',
      [...published, ...own],
      ['Read', 'Write', 'DescribeConfigs'],
      'publishes, finds its tails and dead letters again, compares topics with their declaration',
    ),
    ...right(
      'relay',
      'transactional-id',
      [`outbound-${slot}-`],
      ['Write'],
      'fences a relay that it follows',
      'prefixed',
    ),
    ...right('consumer', 'topic', read, ['Read'], 'reads, and rebuilds its state'),
    ...right('consumer', 'group', names, ['Read'], 'is a member of its group and commits'),
    ...right(
      'consumer',
      'topic',
      [...letters, ...journals],
      ['Read', 'Write'],
      'puts aside what it cannot handle, and carries out redrives',
    ),
    ...right(
      'operator',
      'topic',
      [...published, ...own, ...letters],
      ['Read', 'DescribeConfigs'],
      'looks, verifies and rebuilds',
    ),
    ...right('operator', 'topic', changes, ['Write'], 'replays events'),
    ...right(
      'operator',
      'topic',
      journals,
      ['Create', 'Read', 'Write'],
      'asks consumers for redrives',
    ),
    ...right(
      'operator',
      'group',
      names,
      ['Read'],
      'sees how far consumers are, and sets a stopped group back',
    ),
  ];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
