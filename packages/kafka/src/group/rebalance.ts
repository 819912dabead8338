import type { Clock } from '@outbound/service-kit';
import { KafkaError } from '../kafka-error.ts';
import type { GroupCoordinator, JoinAnswer, SyncAnswer } from '../ports/group-coordinator.ts';
import type { TopicPartition } from '../ports/partition.ts';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type { TopicLog } from '../ports/topic-log.ts';
import { decodeAssignment, encodeSubscription } from './consumer-protocol.ts';
import { cooperativeSticky } from './cooperative-sticky.ts';
import { groupFailure, groupVerdict } from './group-codes.ts';
import type { HeldPartitions } from './held-partitions.ts';
import { encodeShares, readMembers } from './leader.ts';
import type { Membership } from './membership.ts';
import { generationUserData } from './owned-generation.ts';
import { mustHeal, type Retry } from './retry.ts';
import type { TopicView } from './topic-view.ts';
import { unlessAborted } from './wake.ts';

export interface RebalanceParts {
  readonly coordinator: GroupCoordinator;
  readonly log: TopicLog;
  readonly clock: Clock;
  readonly retry: Retry;
  readonly topics: readonly string[];
  readonly groupInstanceId: string | undefined;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly held: HeldPartitions;
  readonly membership: Membership;
  readonly view: TopicView;
  readonly over: AbortSignal;
  onLost(code: number): void;
  /** Takes in what topics are now, just before they are shared out. */
  onFacts(facts: readonly TopicFacts[]): void;
  /** Undefined: the coordinator answers. */
  onWaiting(error: KafkaError | undefined): void;
}

/**
 * Joins and syncs until the group has given us a share, however often it has to begin again: a coordinator that moves
 * is waited for, and what we have stays ours meanwhile unless the coordinator says that it is not. With a result
 * `membership.phase` is `in`. Undefined: the member is over.
 * @throws KafkaError that only a person can change.
 */
export async function rebalance(
  parts: RebalanceParts,
): Promise<readonly TopicPartition[] | undefined> {
  const { retry, over } = parts;
  for (let attempt = 1; !over.aborted; attempt += 1) {
    try {
      const assigned = await joinAndSync(parts);
      if (assigned) {
        retry.reset();
        return assigned;
      }
      // Once or twice that is how joining goes; a group that never gets to its end is not hurried.
      if (attempt > 3) await retry.wait(over);
    } catch (error) {
      parts.onWaiting(mustHeal(error));
      await retry.wait(over);
    }
  }
  return undefined;
}

/** One try. Undefined: join again at once. */
async function joinAndSync(parts: RebalanceParts): Promise<readonly TopicPartition[] | undefined> {
  const { membership, over } = parts;
  const joined = await join(parts);
  if (!joined) return undefined;
  const shares = membership.isLeader ? await lead(parts, joined) : [];
  const { identity } = membership;
  // Of a sync that is sent again perhaps only the first was counted as a sign of life.
  const sentMs = parts.clock.nowMs();
  while (shares && membership.isNow(identity) && !over.aborted) {
    try {
      const answer = await unlessAborted(parts.coordinator.sync(identity, shares), over);
      if (!answer || !membership.isNow(identity)) return undefined;
      if (!isFine(parts, answer.errorCode)) return undefined;
      membership.heard(sentMs);
      membership.phase = 'in';
      return readShare(answer);
    } catch (error) {
      // Perhaps it was carried out. The same again gives the share that the leader meant for us, or says that the
      // group is somewhere else by now.
      parts.onWaiting(mustHeal(error));
      await parts.retry.wait(over);
    }
  }
  return undefined;
}

/** Undefined: join again. */
async function join(parts: RebalanceParts): Promise<JoinAnswer | undefined> {
  const { membership, held, topics, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs } = parts;
  membership.phase = 'joining';
  const { owned, generation: generationId } = held.claim();
  const userData = generationUserData(generationId);
  const metadata = encodeSubscription({
    topics: [...topics].sort(),
    userData,
    owned,
    generationId,
    rackId: undefined,
  });
  const request = {
    memberId: membership.memberId,
    groupInstanceId,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols: [{ name: cooperativeSticky, metadata }],
  };
  const answer = await unlessAborted(parts.coordinator.join(request), parts.over);
  if (!answer) return undefined;
  if (groupVerdict(answer.errorCode) === 'name') {
    membership.memberId = answer.memberId;
    return undefined;
  }
  if (!isFine(parts, answer.errorCode)) return undefined;
  membership.memberId = answer.memberId;
  membership.generationId = answer.generationId;
  membership.isLeader = answer.leaderId === answer.memberId;
  membership.phase = 'syncing';
  return answer;
}

/** False: join again. @throws KafkaError where it is to be asked again, or never. */
function isFine(parts: RebalanceParts, code: number): boolean {
  const verdict = groupVerdict(code);
  if (verdict === 'fail') throw groupFailure(code, parts);
  if (verdict === 'again')
    throw new KafkaError('KAFKA_UNAVAILABLE', `the group's coordinator is moving (code ${code})`, {
      kafkaCode: code,
    });
  parts.onWaiting(undefined);
  if (verdict === 'lost') parts.onLost(code);
  return verdict === 'fine';
}

/** The shares that we give as the leader. Undefined: meanwhile the group has gone on without us. */
async function lead(
  parts: RebalanceParts,
  { members }: JoinAnswer,
): Promise<ReturnType<typeof encodeShares> | undefined> {
  const { log, view, membership, over, clock } = parts;
  const { identity } = membership;
  const claimants = readMembers(members);
  const topics = [...new Set(claimants.flatMap((member) => [...member.topics]))].sort();
  while (membership.isNow(identity) && !over.aborted) {
    try {
      const facts = await unlessAborted(log.topics(topics), over);
      if (facts) parts.onFacts(facts);
    } catch (error) {
      mustHeal(error);
      // What was known a moment ago does for sharing out; the others wait.
      if (topics.some((topic) => view.now(topic) === undefined)) {
        await clock.sleep(parts.retry.nextMs(), over);
        continue;
      }
    }
    const counts = new Map(topics.map((topic) => [topic, view.now(topic)?.partitionCount ?? 0]));
    return encodeShares(claimants, counts);
  }
  return undefined;
}

function readShare({ assignment }: SyncAnswer): TopicPartition[] {
  try {
    return decodeAssignment(assignment);
  } catch (error) {
    throw new KafkaError(
      'KAFKA_REJECTED',
      `the group's leader has sent a share of ${assignment.length} bytes that is no assignment of the consumer protocol`,
      { cause: error },
    );
  }
}
