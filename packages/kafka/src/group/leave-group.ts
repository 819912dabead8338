import type { Clock } from '@outbound/service-kit';
import type { GroupCoordinator, MemberIdentity } from '../ports/group-coordinator.ts';
import { groupVerdict } from './group-codes.ts';
import { Retry } from './retry.ts';

/** The group finds out by itself, a session timeout later. */
const leaveWithinMs = 3000;

/**
 * Gives the place up, so that the others need not wait for the session to end; not a static member's that comes back.
 * Bounded; never rejects.
 */
export async function leaveGroup(
  parts: {
    readonly coordinator: GroupCoordinator;
    readonly clock: Clock;
    readonly random: () => number;
    readonly groupInstanceId?: string | undefined;
    readonly leavesForGood?: boolean;
  },
  identity: MemberIdentity,
): Promise<void> {
  const { coordinator, clock, random, groupInstanceId, leavesForGood } = parts;
  if (identity.memberId === '' || (groupInstanceId !== undefined && leavesForGood !== true)) return;
  const endMs = clock.nowMs() + leaveWithinMs;
  const retry = new Retry(clock, random);
  const timeIsUp = new AbortController();
  const never = new AbortController().signal;
  const tries = async (): Promise<void> => {
    while (clock.nowMs() < endMs) {
      try {
        const { errorCode } = await coordinator.leave(identity);
        if (groupVerdict(errorCode) !== 'again') return;
      } catch {
        // Whatever it is: the session ends without us.
      }
      await retry.wait(never);
    }
  };
  await Promise.race([tries(), clock.sleep(leaveWithinMs, timeIsUp.signal)]);
  timeIsUp.abort();
}
