import { setTimeout as delay } from 'node:timers/promises';
import type { TopicFacts } from '../ports/topic-facts.ts';
import type { TopicVotes } from './topic-votes.ts';

/** The next ones are asked when those before have been silent for this long. */
const hedgeMs = 1000;
/** When nobody else is left, those that are silent are waited for this long. */
const limitMs = 3000;

export interface Election {
  readonly names: readonly string[];
  /** Whoever has answered first: it has a vote if it is one of the voters. */
  readonly first: { readonly voter: string; readonly topics: readonly TopicFacts[] };
  /** Each broker once, in the order in which they are to be asked. */
  readonly voters: readonly string[];
  readonly ask: (voter: string) => Promise<readonly TopicFacts[]>;
}

/**
 * What is to be believed of topics, after one broker has said something of them: its word alone while that is nothing
 * new, or where it is the only broker; else what a majority says (`TopicVotes`). No more are asked than are needed;
 * one that fails has no vote. Never rejects.
 */
export async function askMajority(
  { names, first, voters, ask }: Election,
  votes: TopicVotes,
): Promise<readonly TopicFacts[]> {
  const { topics } = first;
  if (voters.length <= 1)
    return votes.settle(names, [topics], { majority: 1, isAll: true }) ?? topics;
  if (!votes.isNews(topics)) return topics;
  const majority = Math.floor(voters.length / 2) + 1;
  const left = voters.filter((voter) => voter !== first.voter);
  const heard = left.length < voters.length ? [topics] : [];
  const pending = new Set<Promise<unknown>>();
  const begin = async (voter: string): Promise<void> => {
    const vote = ask(voter).then((said) => heard.push(said));
    pending.add(vote);
    await vote.catch(() => undefined);
    pending.delete(vote);
  };
  for (;;) {
    const settled = votes.settle(names, heard, { majority, isAll: false });
    if (settled) return settled;
    const missing = majority - heard.length;
    const asked = left.splice(0, missing > 0 ? missing : left.length).map(begin);
    if (asked.length > 0) await within(hedgeMs, Promise.all(asked));
    else if (pending.size === 0) break;
    else if (!(await within(limitMs, Promise.allSettled([Promise.race(pending)])))) break;
  }
  const said = heard.length > 0 ? heard : [topics];
  return votes.settle(names, said, { majority, isAll: true }) ?? topics;
}

/** @returns false if it takes longer */
async function within(ms: number, task: Promise<unknown>): Promise<boolean> {
  const end = new AbortController();
  const isLate = delay(ms, false, { signal: end.signal, ref: false }).catch(() => false);
  const isInTime = await Promise.race([task.then(() => true), isLate]);
  end.abort();
  return isInTime;
}
