/** What an order needs to know of a connection. */
export interface Askable {
  readonly address: string;
  /** When its last call failed, monotonic ms; undefined after one that was answered. */
  readonly failedAtMs: number | undefined;
  /** Since when the oldest call is out, monotonic ms; undefined: none is. */
  readonly unansweredSinceMs: number | undefined;
}

/**
 * A broker that has failed comes behind the others for this long; then it gets its turn again: all others may be cut
 * off from the cluster.
 */
const distrustMs = 10_000;
/** A broker that has not answered for this long comes behind the others. */
const silentAfterMs = 1000;

/**
 * Which broker is asked next, of several that should know the same: the one that was asked longest ago, those behind
 * the others that fail or are silent. A broker that is cut off from the controller goes on answering, with leaders
 * and coordinators of long ago; nothing in an answer tells. So each question, and each repetition of one, goes to
 * another broker. Each kind of question takes its own turns: two kinds that alternate would share the brokers out
 * among themselves. No input or output.
 */
export class AskOrder {
  /** Running number of the last question, by kind and address. */
  readonly #asked = new Map<string, number>();
  #count = 0;

  /** All of them, in the order in which they are to be asked. */
  inOrder<Link extends Askable>(kind: string, links: readonly Link[], nowMs: number): Link[] {
    return links
      .map((link) => ({
        link,
        isTroubled: isTroubled(link, nowMs),
        asked: this.#asked.get(`${kind} ${link.address}`) ?? 0,
      }))
      .sort((a, b) => Number(a.isTroubled) - Number(b.isTroubled) || a.asked - b.asked)
      .map(({ link }) => link);
  }

  /** It is asked now. */
  note(kind: string, { address }: Pick<Askable, 'address'>): void {
    this.#count += 1;
    this.#asked.set(`${kind} ${address}`, this.#count);
  }
}

function isTroubled({ failedAtMs, unansweredSinceMs }: Askable, nowMs: number): boolean {
  return (
    (failedAtMs !== undefined && nowMs - failedAtMs < distrustMs) ||
    (unansweredSinceMs !== undefined && nowMs - unansweredSinceMs >= silentAfterMs)
  );
}
