import type { RelayError } from './errors.ts';
import { RefusedSizes } from './poison/refused-sizes.ts';
import { RefutedTails } from './kafka/tail.ts';
import type { Lsn } from './wal/lsn.ts';
import type { SourcePosition } from './wal/source-position.ts';

/** What the sessions of one process find out and leave to the next ones. A new process finds it out again. */
export class KnownOfSource {
  /** Last records of partitions that are of another history than the log. */
  readonly refuted = new RefutedTails();
  /** What is too large for which topic. */
  readonly sizes = new RefusedSizes();
  readonly #refused = new Map<string, { readonly commitLsn: Lsn; readonly error: RelayError }>();

  /**
   * A broker refuses the event at this place of the log. At another place, where a person has put it since, it is
   * tried anew.
   */
  refuse(eid: string, position: SourcePosition, error: RelayError): void {
    this.#refused.set(placeOf(eid, position), { commitLsn: position.commitLsn, error });
  }

  /** Nothing that commits before `lsn` comes again: what was found out about it is not kept. */
  confirmedUpTo(lsn: Lsn): void {
    for (const [place, { commitLsn }] of this.#refused)
      if (commitLsn < lsn) this.#refused.delete(place);
    this.sizes.confirmedUpTo(lsn);
  }

  refusalOf(eid: string, position: SourcePosition): RelayError | undefined {
    return this.#refused.size === 0 ? undefined : this.#refused.get(placeOf(eid, position))?.error;
  }
}

function placeOf(eid: string, { commitLsn, index }: SourcePosition): string {
  return `${eid} ${commitLsn}:${index}`;
}
