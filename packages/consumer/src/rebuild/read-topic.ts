import type { ReadOptions } from '../topic-reader/read-options.ts';
import type { ReadSummary } from '../topic-reader/read-summary.ts';

/** `readTopics` of one topic, with everything that is the same each time already said. */
export type ReadTopic = (
  options: Omit<ReadOptions, 'topics' | 'log' | 'silenceMs'>,
) => Promise<ReadSummary>;
