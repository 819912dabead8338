import type { ReadSummary, ReadOptions } from '../topic-reader/read-topics.ts';

/** `readTopics` of one topic, with everything that is the same each time already said. */
export type ReadTopic = (
  options: Omit<ReadOptions, 'topics' | 'log' | 'silenceMs'>,
) => Promise<ReadSummary>;
