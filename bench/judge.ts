import type { Route } from '@outbound/contract';
import { eventTypes } from '@outbound/schemas';
import { HistoryChecker, type Verdict } from '../test/history/history-checker.ts';
import { readOutbox } from '../test/support/judge-pipeline.ts';
import { readTopics } from '../test/support/read-topics.ts';
import type { TestPipeline } from '../test/support/test-pipeline.ts';

/** What an independent consumer found in the topics, compared with what was committed. */
export interface Judgement {
  readonly committed: number;
  readonly records: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Records that hold other bytes than were committed, or that nobody committed. */
  readonly altered: number;
  /** What else the checker found, in words; empty if nothing. */
  readonly other: readonly string[];
}

export interface JudgedTopics {
  readonly judgement: Judgement;
  /** When the broker appended the first and the last record, ms since 1970. */
  readonly firstAppendMs: number;
  readonly lastAppendMs: number;
}

/**
 * Reads the pipeline's outbox and topics and judges them. The topics must stamp records when they are appended.
 * @param options.topicPrefix of the relay that is judged.
 * @param options.onRecord is told of every record and of when the broker appended it.
 */
export async function judge(
  pipeline: TestPipeline,
  {
    topicPrefix,
    routes,
    onRecord = () => undefined,
  }: {
    topicPrefix: string;
    routes: readonly Route[];
    onRecord?: (topic: string, eid: string, appendedMs: number) => void;
  },
): Promise<JudgedTopics> {
  const prefixed = routes.map((route) => ({ ...route, topic: `${topicPrefix}${route.topic}` }));
  const checker = new HistoryChecker({
    routes: new Map([[benchEventType, prefixed]]),
    allowedDuplicates: Infinity,
  });
  await readOutbox(pipeline, checker);
  let firstAppendMs = Infinity;
  let lastAppendMs = -Infinity;
  await readTopics(
    pipeline.stack.kafka.directBootstrap,
    prefixed.map(({ topic }) => topic),
    (record, appendedMs) => {
      checker.record(record);
      firstAppendMs = Math.min(firstAppendMs, appendedMs);
      lastAppendMs = Math.max(lastAppendMs, appendedMs);
      onRecord(record.topic, record.eid ?? '', appendedMs);
    },
  );
  return { judgement: toJudgement(checker.finish()), firstAppendMs, lastAppendMs };
}

/** The event type whose events are published. */
export const benchEventType = 'catalog.product-change';

/** Every route of the event type, or its first one only. */
export function benchRoutes(count: 'all' | 1): readonly Route[] {
  const routes = eventTypes.get(benchEventType)?.routes ?? [];
  return count === 'all' ? routes : routes.slice(0, count);
}

/** The checker's verdict in the words of the report. */
export function toJudgement(verdict: Verdict): Judgement {
  const { counts, violations, committed, records, duplicates } = verdict;
  const named = { lost: 0, reordered: 0, altered: 0, ghost: 0 };
  const other: string[] = [];
  for (const [kind, count] of counts) {
    if (kind in named) named[kind as keyof typeof named] = count;
    else if (kind !== 'too-many-duplicates')
      other.push(
        `${count} × ${kind}: ${violations.find((each) => each.kind === kind)?.sentence ?? ''}`,
      );
  }
  return {
    committed,
    records,
    lost: named.lost,
    duplicated: duplicates,
    reordered: named.reordered,
    altered: named.altered + named.ghost,
    other,
  };
}

/** False if a promise was broken that no benchmark figure can make up for. Duplicates are counted and no breach of that kind. */
export function isSound(judgement: Judgement): boolean {
  const { lost, reordered, altered, other } = judgement;
  return lost === 0 && reordered === 0 && altered === 0 && other.length === 0;
}
