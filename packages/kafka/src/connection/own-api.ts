import type { ByteCursor } from '../wire/byte-cursor.ts';

/**
 * A kind of request that we encode ourselves, because kafkajs cannot, or loses something of the answer, or is too
 * slow.
 */
export interface OwnApi<Request, Answer extends { readonly throttleMs: number }> {
  readonly name: string;
  /** Kafka's number of it. */
  readonly key: number;
  /** What we speak, the best first. */
  readonly versions: readonly number[];
  /** First version with compact types and tagged fields (KIP-482). */
  readonly flexibleFrom: number;
  encode(request: Request, version: number): Buffer;
  /**
   * @throws RangeError if the answer is cut short. `throttleMs` of the answer holds the connection back, as Kafka
   * wants it.
   */
  decode(answer: ByteCursor, version: number): Answer;
}
