import type { ReadSummary, ReadTopicsOptions } from '../topic-reader/read-topics.ts';

/** `readTopics` of one topic, with everything that is the same each time already said. */
export type ReadTopic = (
  options: Omit<ReadTopicsOptions, 'connection' | 'topics' | 'log' | 'silenceMs'>,
) => Promise<ReadSummary>;
