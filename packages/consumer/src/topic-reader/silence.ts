import { partitionKey } from '@outbound/kafka';
import { ConsumerError } from '../errors.ts';
import type { Lane } from './lane.ts';

/** Why reading cannot go on, when for too long nothing came of these lanes. */
export function silence(lanes: readonly Lane[], silenceMs: number): ConsumerError {
  const heldBack = lanes.filter(isHeldBack);
  if (heldBack.length > 0)
    return new ConsumerError(
      'TRANSACTION_OPEN',
      `for ${silenceMs} ms an open transaction has held back the records of ${heldBack
        .map(
          (lane) =>
            `${partitionKey(lane)} from offset ${lane.lastStableOffset} on, and the end to reach is ${lane.end}`,
        )
        .join(
          '; ',
        )}: find it with kafka-transactions.sh describe-producers (--topic, --partition), and let its producer end it, or abort it`,
    );
  const places = lanes.map(
    (lane) =>
      `${partitionKey(lane)} (at offset ${lane.doneOffset} of ${lane.end}${lane.trouble === undefined ? '' : `, ${lane.trouble}`})`,
  );
  return new ConsumerError(
    'READER_STALLED',
    `for ${silenceMs} ms no broker gave more of ${places.join(', ')}: check that its leader is up, and the warnings before this`,
  );
}

/** The broker answers, and readers of committed records have all that it may give them. */
function isHeldBack({ trouble, doneOffset, lastStableOffset, highWatermark }: Lane): boolean {
  return (
    trouble === undefined && doneOffset === lastStableOffset && lastStableOffset < highWatermark
  );
}
