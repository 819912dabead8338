import { recordBytes } from '../../services/relay/src/kafka/outbound-record.ts';
import type { RelayObserver } from '../../services/relay/src/relay-observer.ts';

/** The most messages that the simulated source hands over in one read. */
export const messagesPerRead = 24;

/**
 * Counts from the outside what a relay holds: rows that it was given, less records that it reported as delivered or let go. The bound
 * is the configured one and what a single read can add on top (I9).
 */
export class MemoryLedger {
  readonly #limit: number;
  readonly #exceeded: (what: string) => void;
  #bytes = 0;
  #hasExceeded = false;

  constructor(
    maxInFlightBytes: number,
    largestPayloadBytes: number,
    exceeded: (what: string) => void,
  ) {
    const largestRow = 2 * (600 + 36 + largestPayloadBytes);
    this.#limit = maxInFlightBytes + messagesPerRead * largestRow;
    this.#exceeded = exceeded;
  }

  readonly observer: Pick<RelayObserver, 'batchDelivered' | 'recordWithheld'> = {
    batchDelivered: ({ records }) => {
      for (const record of records) this.#bytes -= recordBytes(record);
    },
    recordWithheld: (record) => {
      this.#bytes -= recordBytes(record);
    },
  };

  /** A new connection begins with nothing in memory: what an ended session held is let go. */
  opened(): void {
    this.#bytes = 0;
  }

  /** A row was handed over; on the compacted route a deletion has no value. */
  row(row: { aggregateId: string; payload: Buffer; dataOp: string }): void {
    const each = 600 + row.aggregateId.length;
    this.#bytes += 2 * each + row.payload.length * (row.dataOp === 'D' ? 1 : 2);
    if (this.#bytes <= this.#limit || this.#hasExceeded) return;
    this.#hasExceeded = true;
    this.#exceeded(`${this.#bytes} bytes in flight, more than ${this.#limit}`);
  }
}
