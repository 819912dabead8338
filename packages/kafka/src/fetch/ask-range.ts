import { KafkaError } from '../kafka-error.ts';
import type { OffsetAnswer, OffsetAt } from '../ports/topic-log.ts';
import { answerOf } from './answer-of.ts';
import { codeName, isPassing, verdictOf } from './fetch-codes.ts';
import type { Ask, FetchLane } from './fetch-lane.ts';
import type { FetchLanes } from './fetch-lanes.ts';
import type { FetcherOptions, FetchLimits } from './fetcher-options.ts';

/**
 * Finds out what the leader has of a partition whose position it does not have, and tells the owner: at once where
 * retention was faster, and only after `lostEndAfterMs` where the log ends before the position. Until then, and if
 * the position is there after all, the lane goes on by itself.
 */
export async function askRange(
  lane: FetchLane,
  lanes: FetchLanes,
  options: FetcherOptions,
  { lostEndAfterMs }: Pick<FetchLimits, 'lostEndAfterMs'>,
  signal: AbortSignal,
): Promise<void> {
  const { log, clock, onOutOfRange, onFailed } = options;
  const ask: Ask = { nodeId: lane.leader, sentAtMs: clock.nowMs() };
  lane.ask = ask;
  const of = [{ topic: lane.topic, partition: lane.partition }];
  const offsetAt = async (at: OffsetAt) => {
    const answer = await answerOf(log.offsets(ask.nodeId, of, at), signal);
    return answer instanceof KafkaError ? answer : answer?.[0];
  };
  const start = await offsetAt('earliest');
  const end = isOffset(start) ? await offsetAt('end') : start;
  if (signal.aborted || !lanes.isWaitingFor(lane, ask)) return;
  lane.ask = undefined;
  if (!isOffset(start) || !isOffset(end)) {
    if (end instanceof KafkaError && !isPassing(end)) onFailed(end, undefined);
    const verdict = verdictOf(lane, end instanceof KafkaError ? 0 : (end?.errorCode ?? 0));
    if (verdict) lanes.refuse(lane, verdict);
    else lanes.lose(lane, reasonOf(end));
    return;
  }
  const { position, outOfRangeSinceMs } = lane;
  const nowMs = clock.nowMs();
  const isEndLost = position > end.offset && nowMs - (outOfRangeSinceMs ?? nowMs) >= lostEndAfterMs;
  lane.isOutOfRange = false;
  if (position < start.offset || isEndLost) {
    lane.isHeld = true;
    onOutOfRange(lane, { position, logStart: start.offset, end: end.offset });
  } else
    lanes.lose(
      lane,
      `offset ${position} was out of range, and ${start.offset} to ${end.offset} are there`,
    );
}

function isOffset(answer: OffsetAnswer | KafkaError | undefined): answer is OffsetAnswer {
  return answer !== undefined && !(answer instanceof KafkaError) && answer.errorCode === 0;
}

function reasonOf(answer: OffsetAnswer | KafkaError | undefined): string {
  if (answer instanceof KafkaError) return answer.message;
  return answer ? codeName(answer.errorCode) : 'an answer without the partition';
}
