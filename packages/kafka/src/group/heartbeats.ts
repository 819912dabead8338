import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { GroupCoordinator, MemberIdentity } from '../ports/group-coordinator.ts';
import { groupVerdict } from './group-codes.ts';
import type { Membership } from './membership.ts';
import { mustHeal, Retry } from './retry.ts';
import { unlessAborted } from './wake.ts';

export interface HeartbeatParts {
  readonly coordinator: GroupCoordinator;
  readonly clock: Clock;
  readonly random: () => number;
  readonly heartbeatMs: number;
  readonly membership: Membership;
  readonly over: AbortSignal;
  /** Before an answer is looked at: a process that was suspended may have lost everything meanwhile. */
  expire(): void;
  onCode(code: number, identity: MemberIdentity): void;
  /** Undefined: the coordinator answers. */
  onWaiting(error: KafkaError | undefined): void;
}

/**
 * Lets the coordinator know that we live, on its own timer: beside joins of ourselves and of others, and while what
 * must be given up is drained. Where the coordinator is away it is asked again soon, so that it is found again within
 * a moment. @throws KafkaError that only a person can change.
 */
export async function heartbeatLoop(parts: HeartbeatParts): Promise<void> {
  const { clock, membership, heartbeatMs, over } = parts;
  const retry = new Retry(clock, parts.random);
  let waitMs = heartbeatMs;
  for (;;) {
    await clock.sleep(waitMs, over);
    if (over.aborted) return;
    parts.expire();
    waitMs = heartbeatMs;
    if (membership.generationId < 0) continue;
    try {
      await beat(parts);
      retry.reset();
    } catch (error) {
      parts.onWaiting(mustHeal(error));
      waitMs = Math.min(retry.nextMs(), heartbeatMs);
    }
  }
}

/** @throws KafkaError KAFKA_UNAVAILABLE where the coordinator is to be asked again soon. */
async function beat(parts: HeartbeatParts): Promise<void> {
  const { coordinator, clock, membership, over } = parts;
  const { identity, phase } = membership;
  const sentMs = clock.nowMs();
  const answer = await unlessAborted(coordinator.heartbeat(identity), over);
  parts.expire();
  // What an earlier generation of ours is told says nothing of this one.
  if (!answer || !membership.isNow(identity)) return;
  const verdict = groupVerdict(answer.errorCode);
  if (verdict === 'again')
    throw new KafkaError(
      'KAFKA_UNAVAILABLE',
      `the group's coordinator is moving (code ${answer.errorCode})`,
      { kafkaCode: answer.errorCode },
    );
  if (verdict === 'fine' || verdict === 'rejoin') membership.heard(sentMs);
  parts.onWaiting(undefined);
  // Asked in the middle of a join, the answer is about the generation that the join ends.
  if (phase === 'in' || verdict !== 'rejoin') parts.onCode(answer.errorCode, identity);
}
