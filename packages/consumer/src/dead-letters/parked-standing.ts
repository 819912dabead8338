import type { KafkaRecord } from '@outbound/kafka';
import { formerPlaceId } from '../events/place-id.ts';
import { isBefore, type ParkedEvent } from './parked-keys.ts';

/**
 * How a record stands to the event for which its key is parked. `later` ones wait behind its dead letter. `first` is that event itself, which
 * comes again: a process that died, or a dead-letter topic that did not answer, left it uncommitted, and nobody knows whether its dead letter
 * is there. `earlier` ones come again too, and were handled before it. Where it cannot be known a record is a later one.
 */
export function standingOf(
  { partition, offset, timestampMs }: Pick<KafkaRecord, 'partition' | 'offset' | 'timestampMs'>,
  eid: string,
  first: ParkedEvent,
  topicId?: string,
): 'earlier' | 'first' | 'later' {
  const { place } = first;
  if (!place) return first.eid === eid || first.eid === formerPlaceId(eid)?.eid ? 'first' : 'later';
  if (place.partition === partition && place.offset === offset && place.timestampMs === timestampMs)
    return 'first';
  return isBefore({ topicId, partition, offset, timestampMs }, place) ? 'earlier' : 'later';
}
