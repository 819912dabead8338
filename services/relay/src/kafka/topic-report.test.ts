import {
  changeRoute,
  declaredTopic,
  planTopics,
  stateRoute,
  type ActualTopic,
} from '@outbound/contract';
import { expect, it } from 'vitest';
import { provisionReport } from './topic-report.ts';

const change = declaredTopic(changeRoute('a.change', { partitions: 6, retentionMs: 604_800_000 }));
const state = declaredTopic(stateRoute('a.state', { partitions: 6, retentionMs: 604_800_000 }));

it('says for each topic what was done, and names every field that differs', () => {
  const differing: ActualTopic = {
    topic: change.topic,
    partitions: 7,
    replicationFactor: 3,
    configs: { ...change.configs, 'min.insync.replicas': '2' },
  };
  const plan = {
    ...planTopics([change, state], [differing], 3),
    leftOut: new Map([[state.topic, ['segment.ms']]]),
  };
  expect(provisionReport([change, state], plan)).toBe(
    [
      'TOPIC     PARTITIONS  POLICY   STATE',
      'a.change           6  delete   differs',
      '          partitions is 7, declared 6 (the relay refuses it)',
      'a.state            6  compact  created',
      '          segment.ms is left out: this Kafka does not know it',
    ].join('\n'),
  );
});
