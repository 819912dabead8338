import { batchOverhead } from '@outbound/kafka';
import { maxMessageBytes } from '@outbound/contract';
import type { RelayError } from '../errors.ts';

/** Bounds of one send. */
export interface SendLimits {
  /** Records in one send over all its lanes. More would make a lone event of another lane wait longer for its turn. */
  readonly recordsPerSend: number;
  /** Bytes of one lane's records on the wire, as `recordBound` counts them, headers and keys included: with `batchOverhead` they have to fit the topic's `max.message.bytes`. */
  readonly bytesPerBatch: number;
}

export const defaultSendLimits: SendLimits = {
  recordsPerSend: 2000,
  bytesPerBatch: maxMessageBytes - batchOverhead,
};

/** What each of `laneCount` ready lanes may put into the next send: every ready lane gets a share, so none waits for another's backlog. */
export function laneShare(
  limits: SendLimits,
  laneCount: number,
): { records: number; bytes: number } {
  return {
    records: Math.max(1, Math.floor(limits.recordsPerSend / laneCount)),
    bytes: limits.bytesPerBatch,
  };
}

/**
 * What follows a failed send. `together`: the same batches in one send again, and the broker's other lanes wait. `apart`: each batch in
 * its own sends, while the broker's other lanes go on, since one of these may be the cause. `end`: this session can't go on.
 * Order: in every case the same batches, never others, so Kafka removes what it already has.
 */
export function afterFailedSend(error: RelayError, attempt: number): 'together' | 'apart' | 'end' {
  switch (error.code) {
    case 'SINK_UNAVAILABLE':
      return attempt < 2 ? 'together' : 'apart';
    case 'SINK_PARTITION_UNAVAILABLE':
      return 'apart';
    default:
      return 'end';
  }
}
