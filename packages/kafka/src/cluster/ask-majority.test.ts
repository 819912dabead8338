import { describe, expect, it } from 'vitest';
import type { TopicFacts } from '../ports/topic-facts.ts';
import { askMajority } from './ask-majority.ts';
import { TopicVotes } from './topic-votes.ts';

const missing = 'missing';
const notNow = 'not now';
/** A topic by its id; `#3` is one without an id, with three partitions. */
const facts = (id: string, epoch = 0): TopicFacts => ({
  topic: 't',
  topicId: id.startsWith('#') || id === missing ? undefined : id,
  errorCode: id === missing ? 3 : 0,
  partitions: Array.from(
    { length: id === missing ? 0 : Number(id.slice(1)) || 1 },
    (_, partition) => ({
      partition,
      leader: 1,
      leaderEpoch: epoch,
      replicas: [1],
    }),
  ),
});
const named = ({ topicId, errorCode, partitions }: TopicFacts): string => {
  if (errorCode !== 0) return errorCode === 3 ? missing : notNow;
  return topicId ?? `#${partitions.length}`;
};

/** Brokers by what they say, `away` if nothing; each question goes to the next one first. */
class Brokers {
  says: string[];
  asked = 0;
  readonly #votes = new TopicVotes();
  #next = 0;

  constructor(...says: string[]) {
    this.says = says;
  }

  /** What is believed after the next question. */
  async ask(): Promise<string> {
    const order = this.says.map((_, index) => (this.#next + index) % this.says.length);
    const first = order.find((index) => this.says[index] !== 'away') ?? 0;
    this.#next = first + 1;
    this.asked += 1;
    const believed = await askMajority(
      {
        names: ['t'],
        first: { voter: `${first}`, topics: [facts(this.says[first] ?? '')] },
        voters: order.map(String),
        ask: (voter) => {
          this.asked += 1;
          const said = this.says[Number(voter)] ?? 'away';
          if (said === 'away') return Promise.reject(new Error('no answer'));
          return Promise.resolve([facts(said)]);
        },
      },
      this.#votes,
    );
    return believed.map(named).join();
  }

  async askAll(): Promise<Set<string>> {
    const heard = new Set<string>();
    for (let count = 0; count < 4 * this.says.length; count += 1) heard.add(await this.ask());
    return heard;
  }
}

describe('one broker that is cut off is not believed', () => {
  for (const count of [2, 3, 4, 5])
    for (const stale of [missing, 'old', '#3'])
      it(`when it says "${stale}" beside ${count - 1}`, async () => {
        const now = stale === '#3' ? '#2' : 'new';
        const brokers = new Brokers(...Array.from({ length: count }, () => now));
        expect(await brokers.ask()).toBe(now);
        for (let index = 0; index < count; index += 1) {
          brokers.says = brokers.says.map((_, each) => (each === index ? stale : now));
          expect(await brokers.askAll()).toEqual(new Set([now]));
        }
      });

  for (const stale of [missing, 'old'])
    it(`when it is the first that says anything at all: "${stale}"`, async () => {
      expect(await new Brokers(stale, 'new', 'new').ask()).toBe('new');
    });

  it('when nobody has said anything yet and there are two: what is there is more than what is missing', async () => {
    expect(await new Brokers(missing, 'new').ask()).toBe('new');
    expect(await new Brokers('old', 'new').ask()).toBe(notNow);
  });
});

describe('what a majority says is believed', () => {
  it('that a topic is gone, and that it was made again', async () => {
    const brokers = new Brokers('a', 'a', 'a');
    await brokers.ask();
    brokers.says = ['a', missing, 'a'];
    expect(await brokers.askAll()).toEqual(new Set(['a']));
    brokers.says = ['a', missing, missing];
    expect(await brokers.askAll()).toEqual(new Set([missing]));
    brokers.says = ['b', missing, 'b'];
    expect(await brokers.askAll()).toEqual(new Set(['b']));
    brokers.says = ['b', 'b', 'a'];
    expect(await brokers.askAll()).toEqual(new Set(['b']));
  });

  it('or everybody who answers, where a majority is away', async () => {
    const brokers = new Brokers('a', 'a', 'a');
    await brokers.ask();
    brokers.says = ['away', 'b', 'away'];
    expect(await brokers.ask()).toBe('b');
  });

  it('and a broker that was upgraded is no contradiction to one that tells no ids yet', async () => {
    const brokers = new Brokers('#1', 'a', '#1');
    expect(await brokers.ask()).toBe('a');
    expect(await brokers.askAll()).toEqual(new Set(['a', '#1']));
    brokers.says = ['#1', 'b', '#1'];
    expect(await brokers.askAll()).toEqual(new Set(['b', '#1']));
  });
});

describe('costs', () => {
  it('one question while nothing is new, and no more than the majority at first', async () => {
    const brokers = new Brokers('a', 'a', 'a', 'a', 'a');
    await brokers.ask();
    expect(brokers.asked).toBe(3);
    await brokers.askAll();
    expect(brokers.asked).toBe(23);
  });

  it('one question where there is one broker, whatever it says', async () => {
    const brokers = new Brokers('a');
    expect(await brokers.ask()).toBe('a');
    brokers.says = [missing];
    expect(await brokers.ask()).toBe(missing);
    brokers.says = ['b'];
    expect(await brokers.ask()).toBe('b');
    expect(brokers.asked).toBe(3);
  });
});
