import type { EventType, Route } from './event-type.ts';

/** The size of a batch that every topic has to take, in bytes: Kafka's own default, said aloud so that a changed default is no surprise. */
export const maxMessageBytes = 1_048_588;

const dayMs = 86_400_000;

/** What a topic shall be. */
export interface DeclaredTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly cleanupPolicy: Route['cleanupPolicy'];
  /** Topic settings by Kafka's names, all of them set when the topic is created. */
  readonly configs: Readonly<Record<string, string>>;
}

/** What a topic is. */
export interface ActualTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Effective topic settings, defaults included; undefined where the client may not read them. */
  readonly configs: Readonly<Record<string, string>> | undefined;
}

/** A field in which a topic differs from its declaration. */
export interface TopicDrift {
  readonly topic: string;
  readonly field: string;
  readonly actual: string;
  readonly declared: string;
  /** True if records would be lost, refused or put elsewhere; false if it is only weaker or dearer than declared. */
  readonly breaking: boolean;
}

/** A topic to create, with the copies that the cluster can hold. */
export interface TopicToCreate extends DeclaredTopic {
  readonly replicationFactor: number;
}

export interface TopicPlan {
  readonly create: readonly TopicToCreate[];
  readonly drift: readonly TopicDrift[];
}

/** Every topic that the event types are routed to, once each, in order of their names. A topic of two routes has the first one's settings. */
export function declaredTopics(eventTypes: Iterable<EventType>): DeclaredTopic[] {
  const declared = new Map<string, DeclaredTopic>();
  for (const { routes } of eventTypes)
    for (const route of routes)
      if (!declared.has(route.topic)) declared.set(route.topic, declaredTopic(route));
  return [...declared.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

/**
 * What a route's topic is created with.
 * A compacted topic gets `max.compaction.lag.ms` and a day per segment, because without them a deleted value can stay readable for
 * ever in the active segment (reliability of erasure). One that is kept by time has a day per segment, too: a record leaves the disk `retention.ms` after the last one
 * of its segment, which Kafka's default of a week would make two weeks. `message.timestamp.after.max.ms` is unlimited because our timestamps are
 * commit times, and a clock of Postgres that is an hour ahead must not stop the relay.
 */
export function declaredTopic(route: Route): DeclaredTopic {
  const common = {
    'cleanup.policy': route.cleanupPolicy,
    'max.message.bytes': String(maxMessageBytes),
    'message.timestamp.after.max.ms': '9223372036854775807',
    'unclean.leader.election.enable': 'false',
  };
  const configs =
    route.cleanupPolicy === 'compact'
      ? {
          ...common,
          'delete.retention.ms': String(route.retentionMs),
          'max.compaction.lag.ms': String(7 * dayMs),
          'segment.ms': String(dayMs),
        }
      : {
          ...common,
          'retention.ms': String(route.retentionMs),
          'segment.ms': String(dayMs),
        };
  return {
    topic: route.topic,
    partitions: route.partitions,
    cleanupPolicy: route.cleanupPolicy,
    configs,
  };
}

/** Three copies where there are three brokers; one less may be missing while writes go on. */
export function replicationFor(brokerCount: number): {
  replicationFactor: number;
  minInSync: number;
} {
  const replicationFactor = Math.max(1, Math.min(3, brokerCount));
  return { replicationFactor, minInSync: Math.max(1, replicationFactor - 1) };
}

/** What has to be created, and what differs and is never altered here. Order: as declared. */
export function planTopics(
  declared: readonly DeclaredTopic[],
  actual: readonly ActualTopic[],
  brokerCount: number,
): TopicPlan {
  const existing = new Map(actual.map((topic) => [topic.topic, topic]));
  const { replicationFactor, minInSync } = replicationFor(brokerCount);
  const create: TopicToCreate[] = [];
  const drift: TopicDrift[] = [];
  for (const topic of declared) {
    const found = existing.get(topic.topic);
    if (found) drift.push(...topicDrift(topic, found, brokerCount));
    else
      create.push({
        ...topic,
        replicationFactor,
        configs: { ...topic.configs, 'min.insync.replicas': String(minInSync) },
      });
  }
  return { create, drift };
}

/** Every field in which the topic differs. The breaking ones stop the relay; the others are reported. */
export function topicDrift(
  declared: DeclaredTopic,
  actual: ActualTopic,
  brokerCount: number,
): TopicDrift[] {
  const drift: TopicDrift[] = [];
  const differs = (field: string, is: string, shall: string, breaking: boolean) =>
    drift.push({ topic: declared.topic, field, actual: is, declared: shall, breaking });
  if (actual.partitions !== declared.partitions)
    differs('partitions', String(actual.partitions), String(declared.partitions), true);
  const { replicationFactor, minInSync } = replicationFor(brokerCount);
  if (actual.replicationFactor < replicationFactor)
    differs(
      'replication.factor',
      String(actual.replicationFactor),
      String(replicationFactor),
      false,
    );
  const { configs } = actual;
  if (!configs) return drift;
  for (const [field, shall] of Object.entries(declared.configs)) {
    const is = configs[field];
    // A broker of an older release has not every setting.
    if (is === undefined) continue;
    if (field === 'max.message.bytes') {
      if (Number(is) < Number(shall)) differs(field, is, shall, true);
    } else if (is !== shall) differs(field, is, shall, field === 'cleanup.policy');
  }
  const minIs = Number(configs['min.insync.replicas'] ?? minInSync);
  if (minIs > actual.replicationFactor)
    differs('min.insync.replicas', String(minIs), `at most ${actual.replicationFactor}`, true);
  else if (minIs < minInSync)
    differs('min.insync.replicas', String(minIs), String(minInSync), false);
  const codec = configs['compression.type'] ?? 'producer';
  if (!['producer', 'gzip', 'uncompressed'].includes(codec))
    differs('compression.type', codec, 'producer', false);
  return drift;
}
