import type { DeclaredTopic } from '@outbound/contract';
import type { ProvisionedTopics } from './topic-provision.ts';

/** What was done as a table for a terminal: one line per topic, one below it per field that differs, and per setting that was left out. */
export function provisionReport(
  declared: readonly DeclaredTopic[],
  plan: ProvisionedTopics,
): string {
  const created = new Set(plan.create.map(({ topic }) => topic));
  const width = Math.max(5, ...declared.map(({ topic }) => topic.length));
  const lines = [`${'TOPIC'.padEnd(width)}  PARTITIONS  POLICY   STATE`];
  for (const { topic, partitions, cleanupPolicy } of declared) {
    const drift = plan.drift.filter((field) => field.topic === topic);
    const state = created.has(topic) ? 'created' : drift.length > 0 ? 'differs' : 'as declared';
    lines.push(
      `${topic.padEnd(width)}  ${String(partitions).padStart(10)}  ${cleanupPolicy.padEnd(7)}  ${state}`,
    );
    for (const { field, actual, declared: shall, breaking } of drift)
      lines.push(
        `${' '.repeat(width)}  ${field} is ${actual}, declared ${shall}${breaking ? ' (the relay refuses it)' : ''}`,
      );
    for (const field of plan.leftOut.get(topic) ?? [])
      lines.push(`${' '.repeat(width)}  ${field} is left out: this Kafka does not know it`);
  }
  return lines.join('\n');
}
