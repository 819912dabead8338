import type { OutboundRecord } from '../../services/relay/src/kafka/outbound-record.ts';
import type { RelayObserver } from '../../services/relay/src/relay-observer.ts';

/** The most messages that the simulated source hands over in one read. */
export const messagesPerRead = 24;

interface RowHeld {
  readonly aggregateId: string;
  readonly payload: Buffer;
  readonly dataOp: string;
}

/** What a record holds, by a rule of the ledger's own: the relay's may count more, and never less. */
function heldBytes({ key, value }: Pick<OutboundRecord, 'key' | 'value'>): number {
  return 500 + key.length + (value?.length ?? 0);
}

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
      for (const record of records) this.#bytes -= heldBytes(record);
    },
    recordWithheld: (record) => {
      this.#bytes -= heldBytes(record);
    },
  };

  /** A new connection begins with nothing in memory: what an ended session held is let go. */
  opened(): void {
    this.#bytes = 0;
  }

  /** A row was handed over; on the compacted route a deletion has no value. */
  row({ aggregateId: key, payload, dataOp }: RowHeld): void {
    this.#bytes += heldBytes({ key, value: payload });
    this.#bytes += heldBytes({ key, value: dataOp === 'D' ? null : payload });
    if (this.#bytes <= this.#limit || this.#hasExceeded) return;
    this.#hasExceeded = true;
    this.#exceeded(`${this.#bytes} bytes in flight, more than ${this.#limit}`);
  }
}
