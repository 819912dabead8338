import type { RelayError } from './errors.ts';
import { RefutedTails } from './kafka/tail.ts';
import type { SourcePosition } from './wal/source-position.ts';

/** What the sessions of one process find out and leave to the next ones. A new process finds it out again. */
export class KnownOfSource {
  /** Last records of partitions that are of another history than the log. */
  readonly refuted = new RefutedTails();
  readonly #refused = new Map<string, RelayError>();

  /**
   * A broker refuses the event at this place of the log. At another place, where a person has put it since, it is
   * tried anew.
   */
  refuse(eid: string, position: SourcePosition, error: RelayError): void {
    this.#refused.set(placeOf(eid, position), error);
  }

  refusalOf(eid: string, position: SourcePosition): RelayError | undefined {
    return this.#refused.size === 0 ? undefined : this.#refused.get(placeOf(eid, position));
  }
}

function placeOf(eid: string, { commitLsn, index }: SourcePosition): string {
  return `${eid} ${commitLsn}:${index}`;
}
