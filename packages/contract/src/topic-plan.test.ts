import { describe, expect, it } from 'vitest';
import { changeRoute, stateRoute } from './event-type.ts';
import { declaredTopic, planTopics, replicationFor, type ActualTopic } from './topic-plan.ts';

const change = declaredTopic(changeRoute('a.change', { partitions: 6, retentionMs: 604_800_000 }));
const state = declaredTopic(stateRoute('a.state', { partitions: 6, retentionMs: 604_800_000 }));

const asDeclared = (
  declared: typeof state,
  over: Partial<ActualTopic> = {},
  configs: Record<string, string> = {},
): ActualTopic => ({
  topic: declared.topic,
  partitions: declared.partitions,
  replicationFactor: 3,
  configs: { ...declared.configs, 'min.insync.replicas': '2', ...configs },
  ...over,
});

describe('planTopics', () => {
  it('creates what is missing, with three copies and two in sync where there are three brokers', () => {
    const { create, drift } = planTopics([change, state], [asDeclared(change)], 3);
    expect(drift).toEqual([]);
    expect(create).toEqual([
      {
        ...state,
        replicationFactor: 3,
        configs: { ...state.configs, 'min.insync.replicas': '2' },
      },
    ]);
    expect(replicationFor(1)).toEqual({ replicationFactor: 1, minInSync: 1 });
  });

  it('declares that a compacted topic forgets: without that an erased value can stay readable for ever', () => {
    expect(state.configs).toMatchObject({
      'cleanup.policy': 'compact',
      'max.compaction.lag.ms': '604800000',
      'delete.retention.ms': '604800000',
      'segment.ms': '86400000',
    });
    expect(change.configs).toMatchObject({
      'cleanup.policy': 'delete',
      'retention.ms': '604800000',
      'segment.ms': '86400000',
    });
  });

  it.each([
    ['another partition count', { partitions: 7 }, {}, 'partitions', true],
    ['another cleanup policy', {}, { 'cleanup.policy': 'delete' }, 'cleanup.policy', true],
    ['a smaller batch limit', {}, { 'max.message.bytes': '1000' }, 'max.message.bytes', true],
    [
      'more copies wanted in sync than there are',
      { replicationFactor: 1 },
      { 'min.insync.replicas': '2' },
      'min.insync.replicas',
      true,
    ],
    ['fewer copies', { replicationFactor: 2 }, {}, 'replication.factor', false],
    ['another retention', {}, { 'delete.retention.ms': '5' }, 'delete.retention.ms', false],
    ['a codec that we cannot read', {}, { 'compression.type': 'zstd' }, 'compression.type', false],
  ])('reports %s', (_, over, configs, field, breaking) => {
    const { create, drift } = planTopics([state], [asDeclared(state, over, configs)], 3);
    expect(create).toEqual([]);
    expect(drift.find((one) => one.field === field)).toMatchObject({ topic: 'a.state', breaking });
  });

  it('takes a larger batch limit, and a topic whose settings may not be read', () => {
    expect(
      planTopics([state], [asDeclared(state, {}, { 'max.message.bytes': '9999999' })], 3).drift,
    ).toEqual([]);
    expect(planTopics([state], [asDeclared(state, { configs: undefined })], 3).drift).toEqual([]);
  });
});
