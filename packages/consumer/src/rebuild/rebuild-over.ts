import type { Clock } from '@outbound/service-kit';
import { ConsumerError } from '../errors.ts';
import type { ReadSummary } from '../topic-reader/read-summary.ts';
import type { ReadTopic } from './read-topic.ts';
import { DeletionsMissed, RebuildAttempt } from './rebuild-attempt.ts';
import type { RebuildWithOptions } from './rebuild-options.ts';
import { ProgressCounter } from './rebuild-progress.ts';

/**
 * The core of `rebuildAndFollow`: attempts, one after the other, until one ends in good order. A topic that was made
 * again or has lost its end, a reader that was behind for longer
 * than tombstones live or that retention has overtaken, and a store that has lost its last steps end an attempt; the
 * next one looks at the store and the topic, and goes on from the positions or begins again, as it would in a new
 * process.
 * @throws as `rebuildAndFollow`.
 */
export async function rebuildOver(
  { read, clock }: { readonly read: ReadTopic; readonly clock: Clock },
  options: RebuildWithOptions,
): Promise<ReadSummary> {
  const { topic, store, follow = true, tombstonesLiveMs = 86_400_000, signal, log } = options;
  /** Attempts in a row that did not catch up. */
  let overtaken = 0;
  /** Attempts in a row that brought nothing. */
  let refused = 0;
  /** Attempts in a row whose store lost what they had written. */
  let wentBack = 0;
  for (;;) {
    const progress = new ProgressCounter(options.onProgress, () => clock.nowMs());
    const attempt = new RebuildAttempt({
      ...{ read, clock, topic, store, follow, tombstonesLiveMs, signal, log, progress },
      versionPath: (options.eventType?.orderingKeyFields[0] ?? 'data.version').split('.'),
      onBegin: (plan) => options.onBegin?.(plan),
      onCaughtUp: (facts) => {
        overtaken = 0;
        wentBack = 0;
        return options.onCaughtUp?.(facts);
      },
    });
    try {
      return await attempt.run();
    } catch (thrown) {
      if (thrown instanceof DeletionsMissed) {
        overtaken += 1;
        // The first may have been from old positions, and the second was suspended.
        if (overtaken > 2)
          throw thrown.takenBy === 'retention'
            ? slowerThanRetention(topic)
            : tooSlow(topic, tombstonesLiveMs);
      } else if (isOfStore(thrown)) {
        wentBack += 1;
        if (wentBack > 2) throw thrown;
      } else if (isOfAnotherTopic(thrown)) {
        refused = attempt.hasProgress ? 0 : refused + 1;
        if (refused > 2) throw thrown;
      } else throw thrown;
      log?.warn(
        { component: 'rebuild', topic, error: String(thrown) },
        'reading cannot simply go on; looking at store and topic again',
      );
    }
  }
}

function isOfAnotherTopic(thrown: unknown): boolean {
  return thrown instanceof ConsumerError && thrown.code === 'POSITION_UNKNOWN';
}

function isOfStore(thrown: unknown): boolean {
  return thrown instanceof ConsumerError && thrown.code === 'STORE_WENT_BACK';
}

function tooSlow(topic: string, tombstonesLiveMs: number): ConsumerError {
  return new ConsumerError(
    'REBUILD_OVERTAKEN',
    `again and again, reading ${topic} to its end took longer than the ${tombstonesLiveMs} ms for which it ` +
      `keeps deletions, so deleted keys could have stayed: raise the topic's delete.retention.ms, or rebuild ` +
      'into a faster store',
  );
}

function slowerThanRetention(topic: string): ConsumerError {
  return new ConsumerError(
    'REBUILD_OVERTAKEN',
    `again and again, retention removed records of ${topic} before they could be read, so deleted keys could have ` +
      "stayed: raise the topic's retention.ms or retention.bytes, or rebuild into a faster store",
  );
}
