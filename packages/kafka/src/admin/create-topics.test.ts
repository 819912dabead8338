import { expect, it } from 'vitest';
import { unknownConfig } from './create-topics.ts';

const topic = { configs: { 'retention.ms': '1', 'message.timestamp.after.max.ms': '2' } };

it.each([
  ['Unknown topic config name: message.timestamp.after.max.ms', 'message.timestamp.after.max.ms'],
  ['Unknown topic config name: something.else', undefined],
  ['Invalid value 1 for configuration retention.ms: too small', undefined],
  [null, undefined],
])('finds the setting that a broker does not know in its words: %s', (words, name) => {
  expect(unknownConfig(topic, words)).toBe(name);
});
