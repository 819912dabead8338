import type { OutboundRecord } from './outbound-record.ts';

/**
 * Records that have to be confirmed before what was read behind them may be sent. Any number of them may be open, so
 * a run of them costs one round trip and not one for each. No clock, no I/O.
 */
export class Barriers {
  #issued = 0;
  /** In the order of the log: the first one is what everything waits for. */
  readonly #open = new Map<OutboundRecord, number>();

  /** What is read now stands behind so many. */
  get issued(): number {
    return this.#issued;
  }

  /** Nothing that is read from here on may be sent before this record is confirmed. */
  raise(record: OutboundRecord): void {
    this.#issued += 1;
    this.#open.set(record, this.#issued);
  }

  /** These records are confirmed. */
  confirmed(records: readonly OutboundRecord[]): void {
    if (this.#open.size === 0) return;
    for (const record of records) this.#open.delete(record);
  }

  /** Whether what stands behind the first `behind` of them may be sent. */
  passes(behind: number): boolean {
    if (behind === 0 || this.#open.size === 0) return true;
    const [first = Infinity] = this.#open.values();
    return behind < first;
  }
}
