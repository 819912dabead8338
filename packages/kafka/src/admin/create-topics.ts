import type { Cluster } from '../cluster/cluster.ts';
import { KafkaError } from '../kafka-error.ts';
import { errorFromCode } from '../kafka-errors.ts';

/** A topic to be made. */
export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Settings by Kafka's names. */
  readonly configs: Readonly<Record<string, string>>;
}

/** A topic that is there now. */
export interface CreatedTopic {
  readonly topic: string;
  /** False: somebody had made it before, with whatever settings. */
  readonly isNew: boolean;
  /** Settings that this cluster does not know, and that were left out. */
  readonly unknownConfigs: readonly string[];
}

interface CreateAnswer {
  readonly topicErrors: readonly {
    readonly topic: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
  }[];
}

const topicAlreadyExists = 36;
const invalidConfig = 40;

/**
 * Creates topics; one that is there already is left as it is. A setting that the cluster is too old to know is left
 * out: which those are only its refusal tells, one by one. Order: as given.
 * @throws KafkaError KAFKA_UNAVAILABLE, KAFKA_FORBIDDEN; KAFKA_REJECTED with the brokers' reasons if one can't be
 * made: the others may be there.
 */
export async function createTopics(
  cluster: Cluster,
  topics: readonly NewTopic[],
): Promise<CreatedTopic[]> {
  const created = new Map<string, CreatedTopic>();
  const failures: KafkaError[] = [];
  let left = topics.map((topic) => ({ topic, unknown: [] as string[] }));
  while (left.length > 0) {
    const refused: typeof left = [];
    const answers = new Map(
      (await ask(cluster, left)).map((answer) => [answer.topic, answer] as const),
    );
    for (const { topic, unknown } of left) {
      const { errorCode, errorMessage } = answers.get(topic.topic) ?? {
        errorCode: -1,
        errorMessage: 'left out of the answer',
      };
      const name = errorCode === invalidConfig ? unknownConfig(topic, errorMessage) : undefined;
      if (name !== undefined && !unknown.includes(name))
        refused.push({ topic, unknown: [...unknown, name] });
      else if (errorCode !== 0 && errorCode !== topicAlreadyExists)
        failures.push(errorFromCode(errorCode, `topic ${topic.topic}`, errorMessage));
      else
        created.set(topic.topic, {
          topic: topic.topic,
          isNew: errorCode === 0,
          unknownConfigs: unknown,
        });
    }
    left = refused;
  }
  const [first] = failures;
  if (first)
    throw new KafkaError(first.code, failures.map(({ message }) => message).join('; '), {
      ...(first.kafkaCode === undefined ? {} : { kafkaCode: first.kafkaCode }),
    });
  return topics.flatMap(({ topic }) => created.get(topic) ?? []);
}

/** The setting of ours that the broker says it does not know, if that is what it says (`LogConfig.validateNames`). */
export function unknownConfig(
  { configs }: Pick<NewTopic, 'configs'>,
  errorMessage: string | null,
): string | undefined {
  const name = /Unknown topic config name: (\S+)/.exec(errorMessage ?? '')?.[1];
  return name !== undefined && name in configs ? name : undefined;
}

async function ask(
  cluster: Cluster,
  topics: readonly { readonly topic: NewTopic; readonly unknown: readonly string[] }[],
): Promise<CreateAnswer['topicErrors']> {
  const timeout = 15_000;
  // Any broker passes it on to the controller.
  const { topicErrors } = await cluster.askOne('CreateTopics', (link) =>
    link.ask<CreateAnswer>(
      'CreateTopics',
      {
        topics: topics.map(
          ({ topic: { topic, partitions, replicationFactor, configs }, unknown }) => ({
            topic,
            numPartitions: partitions,
            replicationFactor,
            configEntries: Object.entries(configs)
              .filter(([name]) => !unknown.includes(name))
              .map(([name, value]) => ({ name, value })),
          }),
        ),
        validateOnly: false,
        timeout,
      },
      { heldBackMs: timeout },
    ),
  );
  return topicErrors;
}
