/** A partition, by name. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** One string for a partition: in messages, and as a key of maps. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** The entries under their topics, both in the order in which they come: Kafka's requests are written so. */
export function groupByTopic<Entry extends { readonly topic: string }>(
  entries: readonly Entry[],
): { readonly topic: string; readonly entries: readonly Entry[] }[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.topic);
    if (group) group.push(entry);
    else groups.set(entry.topic, [entry]);
  }
  return Array.from(groups, ([topic, group]) => ({ topic, entries: group }));
}
